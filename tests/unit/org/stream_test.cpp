#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <pubsub_api.grpc.pb.h>

#include <boost/json.hpp>

#include "tests/org/org.hpp"
#include "tests/unit/org/oracle.hpp"

namespace headwater::org {
namespace {

using eventbus::v1::FetchRequest;
using eventbus::v1::FetchResponse;
using eventbus::v1::PubSub;

constexpr const char* kAll = "/data/ChangeEvents";

struct StreamTest : testing::Test {
  OrgOptions options;
  std::unique_ptr<Org> org;
  OrgAddresses addresses;
  std::unique_ptr<PubSub::Stub> stub;
  std::string token;

  void start() {
    options.keepalive_interval = Millis(40);
    org = std::make_unique<Org>(options);
    auto started = org->start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    addresses = *started;
    stub =
        PubSub::NewStub(grpc::CreateChannel(addresses.pubsub, grpc::InsecureChannelCredentials()));
    login();
  }
  void login() {
    const auto answer = org->oauth().handle({"POST",
                                             "/services/oauth2/token",
                                             "",
                                             {{"grant_type", "client_credentials"},
                                              {"client_id", options.client_id},
                                              {"client_secret", options.client_secret}},
                                             {}});
    token = boost::json::parse(answer.body).at("access_token").get_string().c_str();
  }
  void authorize(grpc::ClientContext& context) const {
    context.AddMetadata("accesstoken", token);
    context.AddMetadata("instanceurl", addresses.login_url);
    context.AddMetadata("tenantid", addresses.org_id);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }
};

FetchRequest earliest(const std::string& topic, int credit) {
  FetchRequest request;
  request.set_topic_name(topic);
  request.set_replay_preset(eventbus::v1::EARLIEST);
  request.set_num_requested(credit);
  return request;
}

/// One Subscribe call of a test.
class Stream {
 public:
  explicit Stream(StreamTest& test, const std::string& topic = kAll, int credit = 100)
      : Stream(test, earliest(topic, credit)) {}
  Stream(StreamTest& test, const FetchRequest& first) {
    test.authorize(context_);
    call_ = test.stub->Subscribe(&context_);
    send(first);
  }
  ~Stream() {
    if (finished_) return;
    context_.TryCancel();
    status_ = call_->Finish();
  }

  void send(const FetchRequest& request) { call_->Write(request); }
  void ask(int events) {
    FetchRequest more;
    more.set_num_requested(events);
    send(more);
  }
  bool read(FetchResponse& response) { return call_->Read(&response); }
  /// Reads until an empty response.
  FetchResponse keepalive() {
    FetchResponse response;
    while (read(response) && response.events_size() > 0) {
    }
    return response;
  }
  /// The error-code trailer without its prefix, after the stream ended.
  std::string end() {
    FetchResponse response;
    while (read(response)) {
    }
    status_ = call_->Finish();
    finished_ = true;
    const auto& trailers = context_.GetServerTrailingMetadata();
    const auto code = trailers.find("error-code");
    if (code == trailers.end()) return {};
    EXPECT_TRUE(trailers.contains("rpc-id"));
    EXPECT_TRUE(trailers.contains("type"));
    const std::string text(code->second.data(), code->second.size());
    const std::string prefix = "sfdc.platform.eventbus.grpc.";
    EXPECT_TRUE(text.starts_with(prefix)) << text;
    return text.substr(prefix.size());
  }
  const grpc::Status& status() const { return status_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<FetchRequest, FetchResponse>> call_;
  bool finished_ = false;
  grpc::Status status_;
};

FetchRequest custom(const std::string& replay_id, const std::string& topic = kAll) {
  FetchRequest request;
  request.set_topic_name(topic);
  request.set_replay_preset(eventbus::v1::CUSTOM);
  request.set_replay_id(replay_id);
  request.set_num_requested(100);
  return request;
}

TEST_F(StreamTest, CreditIsNeverExceededAndAlwaysUsed) {
  start();
  org->load(400, 0);
  const auto published = org->bus().published();
  Stream stream(*this, kAll, 7);
  std::int64_t outstanding = 7;
  std::uint64_t received = 0;
  FetchResponse response;
  while (received < published && stream.read(response)) {
    outstanding -= response.events_size();
    received += static_cast<std::uint64_t>(response.events_size());
    EXPECT_GE(outstanding, 0);
    EXPECT_EQ(response.pending_num_requested(), outstanding);
    if (response.events_size() > 0) {
      EXPECT_EQ(response.latest_replay_id(),
                response.events(response.events_size() - 1).replay_id());
    }
    if (outstanding > 0) continue;
    const int more = 1 + static_cast<int>(received % 60);
    stream.ask(more);
    outstanding += more;
  }
  EXPECT_EQ(received, published);
}

TEST_F(StreamTest, MoreThan100OutstandingCountsAs100) {
  start();
  org->load(400, 0);
  Stream stream(*this, kAll, 5'000);
  FetchResponse response;
  std::int64_t received = 0;
  do {
    ASSERT_TRUE(stream.read(response));
    received += response.events_size();
  } while (response.pending_num_requested() > 0);
  EXPECT_EQ(received, 100);
  EXPECT_EQ(org->pubsub().stats().credit_max, 5'000) << "what was asked for is told";
}

TEST_F(StreamTest, EveryEventDecodesWithTheSchemaOfItsId) {
  start();
  org->load(150, 0);
  Stream stream(*this);
  FetchResponse response;
  ASSERT_TRUE(stream.read(response));
  ASSERT_GT(response.events_size(), 50);
  for (const auto& event : response.events()) {
    grpc::ClientContext context;
    authorize(context);
    eventbus::v1::SchemaRequest request;
    request.set_schema_id(event.event().schema_id());
    eventbus::v1::SchemaInfo schema;
    ASSERT_TRUE(stub->GetSchema(&context, request, &schema).ok());
    const auto* object = org->catalog().find_schema(event.event().schema_id());
    ASSERT_NE(object, nullptr);
    EXPECT_EQ(schema.schema_json(), object->schema_json);
    EXPECT_EQ(oracle_decode(*object, event.event().payload()).header.entity, object->name);
  }
}

TEST_F(StreamTest, CustomResumesStrictlyAfterAnEvent) {
  start();
  org->load(60, 0);
  FetchResponse first;
  ASSERT_TRUE(Stream(*this, kAll, 20).read(first));
  ASSERT_GE(first.events_size(), 3);
  Stream resumed(*this, custom(first.events(0).replay_id()));
  FetchResponse second;
  ASSERT_TRUE(resumed.read(second));
  EXPECT_EQ(second.events(0).replay_id(), first.events(1).replay_id());
  EXPECT_EQ(second.events(0).event().id(), first.events(1).event().id());
}

TEST_F(StreamTest, KeepaliveHasAPositionToResumeFrom) {
  start();
  FetchRequest latest;
  latest.set_topic_name(kAll);
  latest.set_num_requested(10);
  const auto empty = Stream(*this, latest).keepalive();
  EXPECT_EQ(empty.pending_num_requested(), 10);
  ASSERT_EQ(empty.latest_replay_id().size(), 10U);
  org->load(5, 0);
  Stream resumed(*this, custom(empty.latest_replay_id()));
  FetchResponse response;
  std::uint64_t received = 0;
  while (received < org->bus().published() && resumed.read(response)) {
    received += static_cast<std::uint64_t>(response.events_size());
  }
  EXPECT_EQ(received, org->bus().published());
}

TEST_F(StreamTest, HeldEventsLeaveKeepalivesAtThePositionBeforeThem) {
  start();
  org->load(5, 0);
  Stream stream(*this);
  const auto before = stream.keepalive().latest_replay_id();
  org->faults().events_held = true;
  org->load(5, 0);
  for (int i = 0; i < 3; ++i) {
    FetchResponse response;
    ASSERT_TRUE(stream.read(response));
    EXPECT_EQ(response.events_size(), 0);
    EXPECT_EQ(response.latest_replay_id(), before);
  }
  org->faults().clear();
  FetchResponse response;
  do {
    ASSERT_TRUE(stream.read(response));
  } while (response.events_size() == 0);
  EXPECT_NE(response.latest_replay_id(), before);
}

TEST_F(StreamTest, AConnectionOfAgeIsEndedAndTheNextOneServes) {
  options.connection_age = Millis(100);
  start();
  Stream old(*this);
  old.end();
  EXPECT_EQ(old.status().error_code(), grpc::StatusCode::UNAVAILABLE);
  org->load(5, 0);
  FetchResponse response;
  EXPECT_TRUE(Stream(*this).read(response));
}

TEST_F(StreamTest, TopicOfOneObjectCarriesOnlyItsEvents) {
  start();
  org->load(300, 0);
  Stream stream(*this, "/data/Invoice__ChangeEvent");
  FetchResponse response;
  ASSERT_TRUE(stream.read(response));
  ASSERT_GT(response.events_size(), 0);
  for (const auto& event : response.events()) {
    EXPECT_EQ(event.event().schema_id(), org->catalog().get("Invoice__c").schema_id);
  }
}

TEST_F(StreamTest, UnknownAndExpiredPositionsAreCorrupted) {
  start();
  org->load(10, 0);
  FetchResponse response;
  ASSERT_TRUE(Stream(*this).read(response));
  Stream unknown(*this, custom("nonsense!!"));
  EXPECT_EQ(unknown.end(), "subscription.fetch.replayid.corrupted");
  EXPECT_EQ(unknown.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(unknown.status().error_message().find("rpcId: "), std::string::npos);
  org->bus().drop_all();
  EXPECT_EQ(Stream(*this, custom(response.latest_replay_id())).end(),
            "subscription.fetch.replayid.corrupted");
  EXPECT_EQ(Stream(*this, custom("")).end(), "subscription.fetch.replayid.validation.failed");
}

TEST_F(StreamTest, BadRequestsHaveTheirOwnCodes) {
  start();
  EXPECT_EQ(Stream(*this, "/data/NothingChangeEvent").end(), "topic.not.found");
  EXPECT_EQ(Stream(*this, "/event/AccountChangeEvent").end(), "topic.not.found");
  EXPECT_EQ(Stream(*this, "").end(), "topic.validation.empty");
  EXPECT_EQ(Stream(*this, kAll, 0).end(), "subscription.fetch.requested.events.invalid");
  Stream moved(*this);
  FetchRequest other;
  other.set_topic_name("/data/AccountChangeEvent");
  other.set_num_requested(1);
  moved.send(other);
  EXPECT_EQ(moved.end(), "subscription.fetch.topic.mismatch");
  org->faults().refuse_topic(kAll, "subscription.topic.cannot.subscribe");
  EXPECT_EQ(Stream(*this).end(), "subscription.topic.cannot.subscribe");
}

TEST_F(StreamTest, MetadataIsChecked) {
  start();
  const auto good = token;
  token = "guess";
  Stream refused(*this);
  EXPECT_EQ(refused.end(), "service.auth.error");
  EXPECT_EQ(refused.status().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  token = good;
  addresses.org_id = "00D000000000000EAA";
  EXPECT_EQ(Stream(*this).end(), "service.auth.error");
  addresses.org_id = "";
  EXPECT_EQ(Stream(*this).end(), "service.auth.headers.invalid");
}

TEST_F(StreamTest, OpenStreamOutlivesItsSession) {
  start();
  Stream stream(*this);
  stream.keepalive();
  org->oauth().expire_all();
  EXPECT_EQ(stream.keepalive().latest_replay_id().size(), 10U);
  EXPECT_EQ(Stream(*this).end(), "service.auth.error");
}

TEST_F(StreamTest, StreamWithoutCreditEndsCleanlyAfterItsTime) {
  options.credit_timeout = Millis(60);
  start();
  org->load(40, 0);
  Stream stream(*this, kAll, 5);
  EXPECT_EQ(stream.end(), "");
  EXPECT_TRUE(stream.status().ok());
}

TEST_F(StreamTest, KilledStreamsCarryTheWantedEnd) {
  start();
  Stream failed(*this);
  failed.keepalive();
  EXPECT_EQ(org->pubsub().end_streams({}), 1U);
  EXPECT_EQ(failed.end(), "service.unavailable");
  EXPECT_EQ(failed.status().error_code(), grpc::StatusCode::INTERNAL);
  Stream done(*this);
  done.keepalive();
  org->pubsub().end_streams({true, "", 0});
  EXPECT_EQ(done.end(), "");
  EXPECT_TRUE(done.status().ok());
}

TEST_F(StreamTest, WithheldCreditStaysOutstanding) {
  start();
  org->load(200, 0);
  org->faults().half_credit_withheld = true;
  Stream stream(*this);
  FetchResponse response;
  ASSERT_TRUE(stream.read(response));
  EXPECT_EQ(response.events_size(), 50);
  EXPECT_EQ(stream.keepalive().pending_num_requested(), 50);
}

TEST_F(StreamTest, SchemaCallsFailAsTold) {
  start();
  const auto& object = org->catalog().get("Account");
  const auto ask = [&](const std::string& id) {
    grpc::ClientContext context;
    authorize(context);
    eventbus::v1::SchemaRequest request;
    request.set_schema_id(id);
    eventbus::v1::SchemaInfo schema;
    return stub->GetSchema(&context, request, &schema).error_code();
  };
  org->faults().getschema_unavailable = 1;
  EXPECT_EQ(ask(object.schema_id), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ask(object.schema_id), grpc::StatusCode::OK);
  EXPECT_EQ(ask(""), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ask("never-given-never-given"), grpc::StatusCode::INVALID_ARGUMENT);
  org->faults().refuse_schema(object.schema_id);
  EXPECT_EQ(ask(object.schema_id), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(StreamTest, TopicTellsItsSchemaUnlessItCarriesAll) {
  start();
  const auto ask = [&](const std::string& name) {
    grpc::ClientContext context;
    authorize(context);
    eventbus::v1::TopicRequest request;
    request.set_topic_name(name);
    eventbus::v1::TopicInfo topic;
    EXPECT_TRUE(stub->GetTopic(&context, request, &topic).ok());
    EXPECT_TRUE(topic.can_subscribe());
    return topic.schema_id();
  };
  EXPECT_EQ(ask("/data/AccountChangeEvent"), org->catalog().get("Account").schema_id);
  EXPECT_EQ(ask(kAll), "");
}

TEST_F(StreamTest, ReplayAppearsWholeAndItsTruthHolds) {
  start();
  ReplayPlan plan;
  plan.events = 3'000;
  plan.records = 300;
  ASSERT_TRUE(org->replay(plan).ok());
  Stream stream(*this);
  FetchResponse response;
  Replica replica;
  std::uint64_t received = 0;
  while (received < org->bus().published() && stream.read(response)) {
    for (const auto& event : response.events()) {
      const auto* object = org->catalog().find_schema(event.event().schema_id());
      replica.apply(*object, oracle_decode(*object, event.event().payload()));
    }
    received += static_cast<std::uint64_t>(response.events_size());
    if (response.pending_num_requested() < 50) stream.ask(100 - response.pending_num_requested());
  }
  const auto& account = org->catalog().get("Account");
  org->store().each(account, false, [&](const Record& record) {
    EXPECT_EQ(replica.rows().at(record.id).values[account.leaf("Phone")],
              record.values[account.leaf("Phone")]);
  });
  EXPECT_EQ(org->pubsub().stats().credit_max, 100);
}

TEST_F(StreamTest, ManagedSubscribeIsNotImplemented) {
  start();
  grpc::ClientContext context;
  authorize(context);
  EXPECT_EQ(stub->ManagedSubscribe(&context)->Finish().error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace headwater::org
