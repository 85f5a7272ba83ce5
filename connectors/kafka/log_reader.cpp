#include "connectors/kafka/log_reader.hpp"

namespace headwater::kafka {

Result<std::unique_ptr<LogReader>> LogReader::open(const KafkaConfig& config) {
  std::unique_ptr<LogReader> reader(new LogReader(config));
  Client::Options options;
  options.role = config.transactions ? Client::Role::CommittedReader : Client::Role::Reader;
  auto client = Client::create(config, options);
  if (!client) return std::move(client).error();
  reader->client_ = std::move(client).value();
  return reader;
}

Result<LogReader::Extent> LogReader::extent(const std::string& kind) {
  auto topics = client_->list_topics(config_.timeout);
  if (!topics) return std::move(topics).error();
  const auto prefix = config_.topic_prefix + kind;
  std::erase_if(*topics, [&](const auto& topic) { return !topic.first.starts_with(prefix); });
  auto first = client_->offsets(*topics, Client::Edge::First, config_.timeout);
  if (!first) return std::move(first).error();
  auto ends = client_->offsets(*topics, Client::Edge::End, config_.timeout);
  if (!ends) return std::move(ends).error();
  return Extent{std::move(first).value(), std::move(ends).value()};
}

Result<void> LogReader::read(const TopicEnds& from,
                             const TopicEnds& to,
                             const std::function<void(const ReadMessage&)>& each) {
  std::vector<Range> ranges;
  for (const auto& [topic, ends] : to) {
    const auto begin = from.find(topic);
    for (std::size_t p = 0; p < ends.size(); ++p) {
      const bool known = begin != from.end() && p < begin->second.size();
      ranges.push_back(
          {topic, static_cast<std::int32_t>(p), known ? begin->second[p] : 0, ends[p]});
    }
  }
  return read_ranges(*client_, ranges, config_.timeout, each);
}

Result<std::optional<CursorRecord>> LogReader::cursor(const std::string& sink,
                                                      const std::string& org) {
  const auto topic = Topics(config_.topic_prefix, 1, 0).cursors().name;
  auto topics = client_->list_topics(config_.timeout);
  if (!topics) return std::move(topics).error();
  std::erase_if(*topics, [&](const auto& listed) { return listed.first != topic; });
  if (topics->empty()) return std::optional<CursorRecord>{};
  auto first = client_->offsets(*topics, Client::Edge::First, config_.timeout);
  if (!first) return std::move(first).error();
  auto ends = client_->offsets(*topics, Client::Edge::End, config_.timeout);
  if (!ends) return std::move(ends).error();
  const auto key = cursor_key(sink, org);
  std::optional<CursorRecord> newest;
  auto done = read(*first, *ends, [&](const ReadMessage& message) {
    if (message.key == key && message.value)
      if (auto record = parse_cursor_json(*message.value);
          record && !(newest && lost_claim(*newest, *record)))
        newest = std::move(record);
  });
  if (!done) return std::move(done).error();
  return newest;
}

}  // namespace headwater::kafka
