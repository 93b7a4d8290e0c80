// Feeds a fuzz target where libFuzzer is not there: `PROGRAM SEEDS [MUTATIONS]` runs every file of the folder and
// mutations of them from a fixed random sequence; `PROGRAM FILE` runs one input, to reproduce a finding.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void feed(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutate(std::string text, const std::vector<std::string>& seeds, std::mt19937& random) {
  auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  for (auto rounds = 1 + below(4); rounds > 0; --rounds) {
    auto at = below(text.size() + 1);
    switch (below(5)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      case 1:
        text.insert(at, 1, static_cast<char>(random()));
        break;
      case 2:
        text.erase(at, 1 + below(8));
        break;
      case 3:
        text.insert(at, text.substr(below(text.size() + 1), below(32)));
        break;
      default: {
        const auto& other = seeds[below(seeds.size())];
        text = text.substr(0, at) + other.substr(std::min(at, other.size()));
      }
    }
  }
  return text;
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s SEEDS [MUTATIONS] | FILE\n", words[0]);
    return 2;
  }
  if (!std::filesystem::is_directory(words[1])) {
    feed(slurp(words[1]));
    return 0;
  }
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(words[1])) seeds.push_back(slurp(entry.path()));
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seeds\n", words[1]);
    return 2;
  }
  std::ranges::sort(seeds);
  for (const auto& seed : seeds) feed(seed);
  std::mt19937 random(1);
  for (long left = count > 2 ? std::atol(words[2]) : 20000; left > 0; --left)
    feed(mutate(seeds[random() % seeds.size()], seeds, random));
  return 0;
}
