#include "connectors/kafka/records_reader.hpp"

#include <algorithm>
#include <map>

#include "connectors/kafka/shorten.hpp"

namespace headwater::kafka {
namespace {

constexpr std::size_t kKeysMax = 500;

/// The last message under a key, by topic.
using Latest = std::map<std::string, Held, std::less<>>;

Held held_of(const ReadMessage& message) {
  Held held;
  held.rev = Rev{message.rev};
  held.deleted = !message.value;
  held.text = message.value.value_or("");
  held.shortened = is_shortened(held.text);
  return held;
}

/// The newest message, unless an older one lives on in another topic.
std::optional<Held> what_stands(const Latest& latest) {
  const Held* newest = nullptr;
  for (const auto& [topic, held] : latest) {
    if (newest == nullptr || held.rev > newest->rev) newest = &held;
  }
  if (newest == nullptr) return std::nullopt;
  for (const auto& [topic, held] : latest) {
    if (&held != newest && !held.deleted) return held;
  }
  return *newest;
}

}  // namespace

Result<void> RecordsReader::open() {
  auto opened = LogReader::open(config_);
  if (!opened) return std::move(opened).error();
  reader_ = std::move(opened).value();
  return {};
}

Result<std::optional<Cursor>> RecordsReader::cursor(const std::string& org) {
  auto record = reader_->cursor(sink_, org);
  if (!record) return std::move(record).error();
  if (!*record) return std::optional<Cursor>{};
  return std::optional<Cursor>(Cursor{org, (*record)->ledger, (*record)->rev, (*record)->epoch});
}

Result<std::vector<std::optional<Held>>> RecordsReader::read(std::span<const RecordName> names) {
  std::map<std::string_view, Latest> asked;
  for (const auto& name : names) asked.try_emplace(name.rkey);
  auto extent = reader_->extent("records.");
  if (!extent) return std::move(extent).error();
  auto done = reader_->read(extent->first, extent->ends, [&](const ReadMessage& message) {
    const auto at = asked.find(message.key);
    if (at != asked.end())
      at->second.insert_or_assign(std::string(message.topic), held_of(message));
  });
  if (!done) return std::move(done).error();
  std::vector<std::optional<Held>> out;
  for (const auto& name : names) out.push_back(what_stands(asked.at(name.rkey)));
  return out;
}

Result<void> RecordsReader::each_key(const std::string& org, const KeyVisitor& visit) {
  auto extent = reader_->extent("records.");
  if (!extent) return std::move(extent).error();
  std::vector<std::string> keys;
  Result<void> visited;
  const auto give = [&] {
    if (visited && !keys.empty()) visited = visit(keys);
    keys.clear();
  };
  auto done = reader_->read(extent->first, extent->ends, [&](const ReadMessage& message) {
    if (message.org != org || !message.value) return;
    keys.emplace_back(message.key);
    if (keys.size() == kKeysMax) give();
  });
  if (!done) return done;
  give();
  return visited;
}

}  // namespace headwater::kafka
