#include "build_records.h"

#include <algorithm>

#include "gantry/base/json.h"

namespace gantry::build {

void BuildRecords::remember(const std::string& image, const Provenance& provenance) {
  auto text = json::to_text(provenance);
  database_.transaction([&](store::Transaction& transaction) {
    transaction.run(
        "INSERT INTO build_record (image, record) VALUES (?, ?) ON CONFLICT (image) DO UPDATE SET record = "
        "excluded.record",
        {image, text});
  });
}

std::optional<Provenance> BuildRecords::find(const std::string& image) const {
  auto text = database_.transaction([&](store::Transaction& transaction) {
    return transaction.text("SELECT record FROM build_record WHERE image = ?", {image});
  });
  if (!text) return std::nullopt;
  return json::from_text<Provenance>(*text, "the record of a build");
}

void BuildRecords::keep_only(const std::vector<std::string>& there) {
  database_.transaction([&](store::Transaction& transaction) {
    std::vector<std::string> gone;
    transaction.query("SELECT image FROM build_record", {}, [&](const store::Row& row) {
      auto image = row.text(0);
      if (std::find(there.begin(), there.end(), image) == there.end()) gone.push_back(std::move(image));
    });
    for (const auto& image : gone) transaction.run("DELETE FROM build_record WHERE image = ?", {image});
  });
}

}  // namespace gantry::build
