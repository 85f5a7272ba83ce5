#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <pubsub_api.grpc.pb.h>

#include <boost/json.hpp>

#include "tests/org/avro_encode.hpp"
#include "tests/org/org.hpp"

namespace headwater::org {
namespace {

using namespace eventbus::v1;

constexpr const char* kTopic = "/event/Order_Event__e";

struct PublishTest : testing::Test {
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
  const ObjectDef& event() { return org->platform().catalog().get("Order_Event__e"); }
  std::string payload(const std::string& order) {
    std::vector<Value> values(event().leaves.size());
    values[event().leaf("CreatedDate")] = Value(std::int64_t{1'772'366'400'000});
    values[event().leaf("CreatedById")] = Value(std::string("0055f000005mc66AAA"));
    values[event().leaf("Order_Number__c")] = Value(order);
    std::string out;
    encode_platform_event(out, event(), values);
    return out;
  }
  void add(PublishRequest& request, const std::string& id, std::string bytes) {
    auto& one = *request.add_events();
    one.set_id(id);
    one.set_schema_id(event().schema_id);
    one.set_payload(std::move(bytes));
  }
  grpc::Status publish(const PublishRequest& request,
                       PublishResponse& response,
                       std::string& code) {
    grpc::ClientContext context;
    authorize(context);
    const auto status = stub->Publish(&context, request, &response);
    code = code_of(context);
    return status;
  }
  static std::string code_of(const grpc::ClientContext& context) {
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto found = trailers.find("error-code");
    return found == trailers.end() ? std::string()
                                   : std::string(found->second.data(), found->second.size());
  }
  /// What a subscriber of the topic gets, up to the first keepalive.
  std::vector<ConsumerEvent> delivered(const std::string& topic) {
    grpc::ClientContext context;
    authorize(context);
    auto call = stub->Subscribe(&context);
    FetchRequest request;
    request.set_topic_name(topic);
    request.set_replay_preset(EARLIEST);
    request.set_num_requested(100);
    call->Write(request);
    std::vector<ConsumerEvent> out;
    FetchResponse response;
    while (call->Read(&response) && response.events_size() > 0) {
      out.insert(out.end(), response.events().begin(), response.events().end());
      request.set_num_requested(response.events_size());
      call->Write(request);
    }
    context.TryCancel();
    call->Finish();
    return out;
  }
};

TEST_F(PublishTest, EachEventHasItsResultAndTheGoodOnesArriveInOrder) {
  start();
  PublishRequest request;
  request.set_topic_name(kTopic);
  add(request, "a", payload("1"));
  add(request, "b", payload("2"));
  request.mutable_events(1)->set_schema_id("another");
  add(request, "c", std::string(kEventBytesMax + 1, 'x'));
  add(request, "d", payload("4").substr(0, 20));
  add(request, "e", payload("5"));
  PublishResponse response;
  std::string code;
  ASSERT_TRUE(publish(request, response, code).ok());
  ASSERT_EQ(response.results_size(), 5);
  EXPECT_EQ(response.schema_id(), event().schema_id);
  for (int i = 0; i < 5; ++i) {
    const bool good = i == 0 || i == 4;
    EXPECT_EQ(response.results(i).correlation_key(), request.events(i).id());
    EXPECT_EQ(response.results(i).has_error(), !good) << i;
    EXPECT_EQ(response.results(i).replay_id().empty(), !good) << i;
  }
  EXPECT_EQ(response.results(2).error().code(), PUBLISH);
  const auto events = delivered(kTopic);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].event().id(), "a");
  EXPECT_EQ(events[0].event().payload(), payload("1"));
  EXPECT_EQ(events[0].replay_id(), response.results(0).replay_id());
  EXPECT_EQ(events[1].event().id(), "e");
}

TEST_F(PublishTest, ARequestThatCannotBePublishedFailsAsAWhole) {
  start();
  PublishRequest request;
  PublishResponse response;
  std::string code;
  request.set_topic_name(kTopic);
  EXPECT_EQ(publish(request, response, code).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code, "sfdc.platform.eventbus.grpc.publish.event.count.invalid");
  add(request, "a", payload("1"));
  request.set_topic_name("/data/ChangeEvents");
  EXPECT_EQ(publish(request, response, code).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_topic_name("");
  publish(request, response, code);
  EXPECT_EQ(code, "sfdc.platform.eventbus.grpc.publish.topic.validation.empty");
  request.set_topic_name(kTopic);
  for (int i = 0; i < 5; ++i) add(request, "x", std::string(kEventBytesMax, 'x'));
  EXPECT_EQ(publish(request, response, code).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(code, "");
  EXPECT_TRUE(delivered(kTopic).empty());
}

TEST_F(PublishTest, AStreamAnswersEachRequestInTurn) {
  start();
  grpc::ClientContext context;
  authorize(context);
  auto call = stub->PublishStream(&context);
  for (int i = 0; i < 3; ++i) {
    PublishRequest request;
    if (i == 0) request.set_topic_name(kTopic);  // later ones may leave it out
    for (int k = 0; k < 40; ++k)
      add(request, std::to_string(i * 40 + k), payload(std::to_string(i * 40 + k)));
    ASSERT_TRUE(call->Write(request));
    PublishResponse response;
    ASSERT_TRUE(call->Read(&response));
    EXPECT_EQ(response.results_size(), 40);
  }
  PublishRequest other;
  other.set_topic_name("/event/Stock_Alert__e");
  call->Write(other);
  PublishResponse none;
  EXPECT_FALSE(call->Read(&none));
  EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code_of(context), "sfdc.platform.eventbus.grpc.publish.topic.mismatch");
  auto events = delivered(kTopic);
  ASSERT_EQ(events.size(), 120U);
  for (std::size_t i = 0; i < events.size(); ++i)
    EXPECT_EQ(events[i].event().id(), std::to_string(i));
}

TEST_F(PublishTest, AStreamWithoutEventsIsSweptAway) {
  options.publish_timeout = Millis(60);
  start();
  grpc::ClientContext context;
  authorize(context);
  auto call = stub->PublishStream(&context);
  PublishResponse response;
  EXPECT_FALSE(call->Read(&response));
  EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(code_of(context), "sfdc.platform.eventbus.grpc.publish.stream.sweeper.timeout");
}

TEST_F(PublishTest, PlatformEventsHaveTopicsOfTheirOwn) {
  start();
  ASSERT_TRUE(org->platform().publish(*boost::json::parse(R"({"event":"Order_Event__e","count":3,
      "fields":{"Sequence__c":"#"}})")
                                           .if_object()));
  EXPECT_EQ(delivered(kTopic).size(), 3U);
  EXPECT_TRUE(delivered("/data/ChangeEvents").empty());
  EXPECT_TRUE(delivered("/event/Stock_Alert__e").empty());
  grpc::ClientContext context;
  authorize(context);
  TopicRequest request;
  request.set_topic_name(kTopic);
  TopicInfo info;
  ASSERT_TRUE(stub->GetTopic(&context, request, &info).ok());
  EXPECT_TRUE(info.can_publish());
  EXPECT_TRUE(info.can_subscribe());
  EXPECT_EQ(info.schema_id(), event().schema_id);
}

TEST_F(PublishTest, StandardVolumeEventsAreKeptForLess) {
  options.standard_retention = Millis(0);
  start();
  for (const char* body : {R"({"event":"Order_Event__e"})", R"({"event":"Stock_Alert__e"})"})
    ASSERT_TRUE(org->platform().publish(*boost::json::parse(body).if_object()));
  const auto& alert = org->platform().catalog().get("Stock_Alert__e");
  auto& bus = org->platform().bus_of(alert);
  while (bus.earliest() == 0) {  // at the next millisecond
  }
  EXPECT_EQ(delivered(kTopic).size(), 1U);
  EXPECT_TRUE(delivered("/event/Stock_Alert__e").empty());
}

TEST_F(PublishTest, AnEventPublishedTwiceHasOneUuidAndTwoReplayIds) {
  start();
  ASSERT_TRUE(org->platform().publish(
      *boost::json::parse(R"({"event":"Order_Event__e","twice":true})").if_object()));
  const auto events = delivered(kTopic);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].event().id(), events[1].event().id());
  EXPECT_EQ(events[0].event().payload(), events[1].event().payload());
  EXPECT_NE(events[0].replay_id(), events[1].replay_id());
}

}  // namespace
}  // namespace headwater::org
