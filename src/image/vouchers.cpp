#include "gantry/image/vouchers.h"

#include "gantry/base/ids.h"

namespace gantry::image {
namespace {

constexpr std::size_t kDigits = 32;

}  // namespace

Vouchers::Voucher::~Voucher() {
  std::lock_guard lock(owner_->mutex_);
  owner_->words_.erase(word_);
}

std::unique_ptr<Vouchers::Voucher> Vouchers::vouch(const std::string& diff_id) {
  auto word = "gantry-engine/" + random_hex(kDigits);
  std::lock_guard lock(mutex_);
  words_[word] = diff_id;
  return std::unique_ptr<Voucher>(new Voucher(shared_from_this(), word));
}

bool Vouchers::accepts(const std::string& word, const std::string& diff_id) const {
  std::lock_guard lock(mutex_);
  auto found = words_.find(word);
  return found != words_.end() && found->second == diff_id;
}

}  // namespace gantry::image
