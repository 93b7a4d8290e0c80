#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace gantry::registry {

/// Makes gzip of a layer on its way out, with ISA-L: some hundred megabytes a second on one processor. The same bytes
/// give the same gzip on the same machine.
class Gzip {
 public:
  explicit Gzip(std::function<void(std::string_view)> sink);
  ~Gzip();
  void feed(std::string_view piece);
  void finish();

 private:
  struct State;
  void run(bool last);
  std::function<void(std::string_view)> sink_;
  std::unique_ptr<State> state_;
};

}  // namespace gantry::registry
