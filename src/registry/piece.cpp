#include "piece.h"

#include <algorithm>
#include <cstdio>

#include "answers.h"

namespace gantry::registry {
namespace {

constexpr std::uint64_t kCountsAsProgress = 1u << 20;  // what a connection must bring to count as a good one

/// Thrown out of an exchange that brings the whole blob where a part of it was asked for.
struct Whole {};

}  // namespace

Piece::Piece(Remote& remote, const BlobRequest& request, std::uint64_t first, std::uint64_t size, const Take& take,
             const Retries::Tell& tell)
    : remote_(remote),
      request_(request),
      first_(first),
      size_(size),
      take_(take),
      retries_(remote.options(), remote.stop(), tell) {}

void Piece::fetch() {
  while (attempt(false) != Outcome::complete) continue;
}

bool Piece::fetch_if_ranged() {
  for (;;) {
    auto outcome = attempt(true);
    if (outcome == Outcome::complete) return true;
    if (outcome == Outcome::again) continue;
    size_ = request_.size - first_;
    return false;
  }
}

void Piece::refuse(const std::string& why) const {
  throw Error(ErrorKind::invalid, request_.what + ": " + why, "the registry is at fault; try again, or another mirror");
}

Piece::Outcome Piece::attempt(bool ranges_only) {
  auto from = first_ + received_;
  bool to_the_end = first_ + size_ == request_.size;
  Remote::Call call;
  call.path = "blobs/" + request_.digest.str();
  if (from > 0 || !to_the_end)
    call.headers.emplace_back(
        "Range", "bytes=" + std::to_string(from) + "-" + (to_the_end ? "" : std::to_string(first_ + size_ - 1)));
  call.accept = [&](int status, const http::Headers& headers) {
    if (status == 200 && ranges_only && !to_the_end) throw Whole();
    begin(status, headers);
  };
  call.sink = [this](std::string_view bytes) { take(bytes); };
  try {
    auto got = remote_.attempt(call);
    int status = got.answer.status;
    if (status == 200 || status == 206) {
      if (received_ == size_) return Outcome::complete;
      Error cut(ErrorKind::invalid, request_.what + ": it ended after " + std::to_string(first_ + received_) + " of " +
                                        std::to_string(request_.size) + " bytes");
      retries_.after(cut);
      return Outcome::again;
    }
    if (!is_temporary(status)) remote_.refuse(got.answer, request_.what);
    retries_.after(refusal(got.answer, request_.what, remote_.registry(), remote_.has_credentials()),
                   retry_after(got.answer));
  } catch (const Whole&) {
    return Outcome::whole;
  } catch (const TransportError& error) {
    if (!error.temporary()) throw Error(error);
    retries_.after(error);
  }
  return Outcome::again;
}

void Piece::begin(int status, const http::Headers& headers) {
  skip_ = 0;
  if (status == 200) {
    // Ranges are not its thing: everything comes, from the beginning.
    if (first_ + size_ != request_.size) refuse("the registry sends all of it where it sent parts before");
    skip_ = first_ + received_;
    auto length = headers.get("Content-Length");
    if (!length.empty() && length != std::to_string(request_.size))
      refuse("the registry sends " + printable(length, 20) + " bytes, the manifest says " +
             std::to_string(request_.size));
  }
  if (status != 206) return;
  unsigned long long first = 0;
  auto range = headers.get("Content-Range");
  if (std::sscanf(range.c_str(), "bytes %llu-", &first) != 1 || first != first_ + received_)
    refuse("the registry answers with another range than was asked for (" + printable(range, 60) + ")");
}

void Piece::take(std::string_view bytes) {
  auto skipped = std::min<std::uint64_t>(skip_, bytes.size());
  skip_ -= skipped;
  bytes.remove_prefix(static_cast<std::size_t>(skipped));
  if (bytes.size() > size_ - received_)
    refuse("more than the announced " + std::to_string(request_.size) + " bytes came");
  take_(bytes);
  received_ += bytes.size();
  if (received_ - counted_ < kCountsAsProgress) return;
  counted_ = received_;
  retries_.progressed();
}

}  // namespace gantry::registry
