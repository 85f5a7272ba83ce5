// The whole room against the simulated org: what a login gives works for the stream and for REST,
// and the two tell the same of a record.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "connectors/salesforce/credit.hpp"
#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/org.hpp"
#include "connectors/salesforce/org_facts.hpp"
#include "connectors/salesforce/row.hpp"
#include "schemas/avro/event_decoder.hpp"
#include "tests/integration/salesforce/certificates.hpp"
#include "tests/integration/salesforce/fixtures.hpp"
#include "tests/org/org.hpp"

namespace headwater::salesforce {
namespace {

using namespace std::chrono_literals;
using What = Fetched::What;

constexpr const char* kTopic = "/data/ChangeEvents";

/// An event as it came, kept.
struct KeptEvent {
  std::string payload, schema_id, replay_id;
};

class SimulatedOrgTest : public testing::Test {
 protected:
  void start(org::OrgOptions options = {}) {
    options.keepalive_interval = 100ms;
    options.public_key_pem = key_.public_pem;
    org_ = std::make_unique<org::Org>(options);
    const auto at = org_->start();
    ASSERT_TRUE(at.ok()) << at.error().message;
    config_.name = "emea";
    config_.login_url = at->login_url;
    config_.auth.client_id = options.client_id;
    config_.auth.username = options.username;
    config_.auth.private_key_file = dir_.write("key.pem", key_.private_pem);
    config_.auth.audience = default_audience(config_.login_url);
    config_.pubsub.endpoint = at->pubsub;
    config_.pubsub.tls = false;
    log_in_anew();
  }
  void log_in_anew() {
    tokens_ = std::make_shared<TokenSource>(config_, metrics_, clock_);
    stream_ = make_subscription(config_, kTopic, tokens_, metrics_, clock_);
    client_ = make_org_client(config_, tokens_, metrics_);
  }
  What next() {
    stream_->next(clock_.monotonic_ms() + 10'000, out_);
    return out_.what;
  }
  /// Takes events until the server has no more, with ingest's credit; `each` after every response.
  void take_all(const std::function<void()>& each = [] {}) {
    while (next() == What::Response && !out_.events.empty()) {
      for (const auto& event : out_.events)
        events_.push_back({std::string(event.payload),
                           std::string(event.schema_id),
                           std::string(event.replay_id)});
      credit_.received(out_.events.size());
      const auto more = credit_.request(1'000);
      stream_->request(more);
      credit_.requested(more);
      each();
    }
  }
  Result<void> subscribe() {
    credit_.reset();
    credit_.requested(kEventsRequestedMax);
    const auto from = events_.empty() ? ReplayId() : ReplayId(events_.back().replay_id);
    return stream_->subscribe(
        events_.empty() ? Start::Earliest : Start::After, from, kEventsRequestedMax);
  }

  TempDir dir_;
  RsaKey key_ = RsaKey::make();
  std::unique_ptr<org::Org> org_;
  OrgConfig config_;
  SystemClock clock_;
  std::shared_ptr<OrgMetrics> metrics_ = std::make_shared<OrgMetrics>();
  std::shared_ptr<TokenSource> tokens_;
  std::unique_ptr<EventSource> stream_;
  std::unique_ptr<OrgApi> client_;
  Credit credit_;
  Fetched out_;
  std::vector<KeptEvent> events_;
};

TEST_F(SimulatedOrgTest, EveryFlowLogsIn) {
  start();
  EXPECT_TRUE(tokens_->get().ok()) << tokens_->get().error().message;
  const org::OrgOptions org;
  config_.auth.client_secret_file = dir_.write("secret", org.client_secret);
  config_.auth.refresh_token_file = dir_.write("refresh", org.refresh_token + "\n");
  for (const auto flow : {AuthConfig::Flow::ClientCredentials, AuthConfig::Flow::RefreshToken}) {
    config_.auth.flow = flow;
    log_in_anew();
    const auto token = tokens_->get();
    EXPECT_TRUE(token.ok()) << token.error().message;
    EXPECT_EQ(*client_->org_id(), org.org_id);
  }
}

TEST_F(SimulatedOrgTest, AnotherKeyIsBlocked) {
  start();
  config_.auth.private_key_file = dir_.write("key.pem", RsaKey::make().private_pem);
  log_in_anew();
  const auto token = tokens_->get();
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.error().kind, ErrorKind::Blocked) << token.error().message;
}

TEST_F(SimulatedOrgTest, EveryEventComesOnceInOrderThoughStreamsEnd) {
  start();
  org_->load(400, 0);
  ASSERT_TRUE(subscribe().ok());
  take_all();
  const auto whole = std::move(events_);
  ASSERT_GT(whole.size(), 300u);
  EXPECT_LE(org_->pubsub().stats().credit_max, 100);

  // The same once more, with the stream killed again and again and the tokens expired.
  events_.clear();
  int ends = 0;
  while (events_.size() < whole.size()) {
    const auto subscribed = subscribe();
    ASSERT_TRUE(subscribed.ok()) << subscribed.error().message;
    const auto seen = events_.size();
    take_all([&] {
      if (events_.size() - seen < 100 || ends >= 5) return;
      ++ends;
      org_->oauth().expire_all();
      org_->pubsub().end_streams({.clean = ends % 2 == 0});
    });
    ASSERT_TRUE(out_.what != What::Ended || out_.end.kind == ErrorKind::Transient)
        << out_.end.message;
  }
  EXPECT_GE(ends, 3);
  ASSERT_EQ(events_.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i)
    ASSERT_EQ(events_[i].replay_id, whole[i].replay_id) << i;
  EXPECT_LE(org_->pubsub().stats().credit_max, 100);
}

TEST_F(SimulatedOrgTest, ALostPositionIsToldAsSuch) {
  start();
  org_->load(20, 0);
  ASSERT_TRUE(stream_->subscribe(Start::After, ReplayId(std::string(10, '\x7f')), 100).ok());
  ASSERT_EQ(next(), What::Ended);
  EXPECT_EQ(recovery(out_.end), Recovery::ResetPosition) << out_.end.message;
  EXPECT_EQ(out_.end.code, "subscription.fetch.replayid.corrupted");
}

TEST_F(SimulatedOrgTest, AnUnknownTopicIsBlocked) {
  start();
  auto stream = make_subscription(config_, "/data/Nothing__chn", tokens_, metrics_, clock_);
  const auto done = stream->subscribe(Start::Latest, {}, 1);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Blocked) << done.error().message;
}

/// Records by object and id, as `path` -> value.
using Fields = std::map<std::string, std::string>;

bool refers(const ObjectDescription& object, std::string_view path) {
  return std::ranges::any_of(object.fields, [&](const FieldInfo& field) {
    return field.path == path && !field.reference_to.empty();
  });
}

std::string printed(const ValueView& value) {
  std::string out;
  put_value(out, value);
  return out;
}

TEST_F(SimulatedOrgTest, ARefetchTellsWhatTheEventTold) {
  start();
  org_->load(1'500, 0);
  ASSERT_TRUE(subscribe().ok());
  take_all();

  // What events told of records that were created and never touched again.
  std::map<std::string, avro::Plan> plans;
  std::map<std::pair<std::string, std::string>, Fields> created;
  std::map<std::string, int> told;
  for (const auto& kept : events_) {
    auto plan = plans.find(kept.schema_id);
    if (plan == plans.end()) {
      const auto json = stream_->fetch_schema(kept.schema_id);
      ASSERT_TRUE(json.ok()) << json.error().message;
      auto compiled = avro::Plan::parse(*json);
      ASSERT_TRUE(compiled.ok()) << compiled.error().message;
      plan = plans.emplace(kept.schema_id, std::move(*compiled)).first;
    }
    NameTable names;
    avro::EventDecoder decoder(plan->second, names);
    avro::Scratch scratch;
    EventView event;
    ASSERT_TRUE(decoder.decode(kept.payload, scratch, event).ok());
    for (const auto id : event.record_ids) {
      ++told[std::string(id)];
      if (event.type != ChangeType::Create) continue;
      auto& fields = created[{std::string(event.entity), std::string(id)}];
      for (const auto& field : event.fields)
        fields[std::string(names.text(field.name))] = printed(field.value);
    }
  }
  std::map<std::string, std::vector<RecordId>> ids;
  for (const auto& [key, fields] : created)
    if (told[key.second] == 1) ids[key.first].push_back(*RecordId::parse(key.second));
  ASSERT_GT(ids.size(), 5u);

  std::size_t compared = 0;
  for (const auto& [object, wanted] : ids) {
    const auto description = client_->describe(object);
    ASSERT_TRUE(description.ok()) << description.error().message;
    const auto records = client_->fetch(object, wanted, fetch_fields(*description));
    ASSERT_TRUE(records.ok()) << records.error().message;
    const RowDecoder decoder(*description);
    RecordRow row;
    for (const auto& record : *records) {
      if (!record.json) continue;  // deleted with its parent, of which no event told
      const auto decoded = decoder.decode(*record.json, row);
      ASSERT_TRUE(decoded.ok()) << decoded.error().message;
      EXPECT_EQ(row.id, record.id);
      EXPECT_GT(row.stamp, 0);
      auto event = created.at({object, record.id.str()});
      for (const auto& field : row.fields) {
        const auto told_value = event.find(std::string(field.path));
        if (told_value == event.end()) {
          // Of an account only REST tells this; events show it by their fields.
          if (object == "Account" && field.path == "IsPersonAccount") continue;
          EXPECT_TRUE(field.value.is_null())
              << object << ' ' << field.path << " is not in the event";
          continue;
        }
        // Cleared with the record that it referred to, of which no event told.
        const bool cleared = field.value.is_null() && refers(*description, field.path);
        EXPECT_TRUE(cleared || told_value->second == printed(field.value))
            << object << ' ' << field.path << ": " << told_value->second << " and "
            << printed(field.value);
        event.erase(told_value);
        ++compared;
      }
      for (const auto& [path, value] : event)
        EXPECT_EQ(value, printed(ValueView::null()))
            << object << ' ' << path << " is not in the row";
    }
  }
  EXPECT_GT(compared, 1'000u);
}

TEST_F(SimulatedOrgTest, ObjectsAreListedWithTheirPrefixes) {
  start();
  const auto objects = client_->describe_global();
  ASSERT_TRUE(objects.ok()) << objects.error().message;
  std::map<std::string, std::string> prefixes;
  for (const auto& object : *objects) prefixes[object.name] = object.key_prefix;
  EXPECT_EQ(prefixes["Account"], "001");
  EXPECT_EQ(prefixes["User"], "005");
  EXPECT_EQ(prefixes["Invoice__c"].size(), 3u);
  EXPECT_GT(metrics_->api_max, 0);
}

TEST_F(SimulatedOrgTest, TheStandardChannelCarriesEveryObjectOfTheOrg) {
  start();
  const std::vector<std::string> channels = {"ChangeEvents"};
  const auto captured = learn_captured(*client_, channels);
  ASSERT_TRUE(captured.ok()) << captured.error().message;
  EXPECT_TRUE(captured->exact) << captured->why;
  for (const char* object : {"Account", "Contact", "Invoice__c", "User"})
    EXPECT_TRUE(captured->objects.contains(object)) << object;
  EXPECT_FALSE(captured->objects.contains("RecordType"));
  EXPECT_TRUE(captured->hidden.empty());
}

TEST_F(SimulatedOrgTest, RecordTypesAreReadToTheLast) {
  start();
  std::map<std::string, std::string> added;
  for (int i = 0; i < 2'100; ++i) {  // more than one answer holds
    const auto name = "Type_" + std::to_string(i);
    auto id = org_->record_types().add("Case", name);
    ASSERT_TRUE(id.ok());
    added[*id] = name;
  }
  const auto types = client_->record_types();
  ASSERT_TRUE(types.ok()) << types.error().message;
  EXPECT_EQ(types->size(), added.size() + 5);
  for (const auto& type : *types) {
    if (const auto at = added.find(type.id.str()); at != added.end()) {
      EXPECT_EQ(type.developer_name, at->second);
      added.erase(at);
    }
  }
  EXPECT_TRUE(added.empty());
}

}  // namespace
}  // namespace headwater::salesforce
