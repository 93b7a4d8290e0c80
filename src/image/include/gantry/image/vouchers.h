#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

/// How one part of the daemon shows another, over a wire that anybody may use, that it has a layer: whoever pushes from
/// the engine to the registry inside sends a word instead of the bytes. A digest alone proves nothing, since it is
/// written in every configuration.
namespace gantry::image {

class Vouchers : public std::enable_shared_from_this<Vouchers> {
 public:
  /// A word that is good for one layer, for as long as this lives.
  class Voucher {
   public:
    ~Voucher();
    Voucher(const Voucher&) = delete;
    Voucher& operator=(const Voucher&) = delete;
    /// Has the form of a repository's name, so that it goes where the specification has one.
    const std::string& word() const { return word_; }

   private:
    friend class Vouchers;
    Voucher(std::shared_ptr<Vouchers> owner, std::string word) : owner_(std::move(owner)), word_(std::move(word)) {}
    std::shared_ptr<Vouchers> owner_;
    std::string word_;
  };

  /// For who has looked that the layer is there.
  std::unique_ptr<Voucher> vouch(const std::string& diff_id);
  bool accepts(const std::string& word, const std::string& diff_id) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> words_;  ///< what each is good for
};

}  // namespace gantry::image
