#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <thread>

#include "connectors/salesforce/credit.hpp"
#include "connectors/salesforce/errors.hpp"
#include "connectors/salesforce/org.hpp"
#include "tests/integration/salesforce/certificates.hpp"
#include "tests/integration/salesforce/fake_bus.hpp"
#include "tests/integration/salesforce/fixtures.hpp"
#include "tests/integration/salesforce/login_server.hpp"

namespace headwater::salesforce {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using What = Fetched::What;

constexpr std::int64_t kPatience = 10'000;  // ms until a test gives up

/// The system's clock, moved forward by hand.
class MovedClock final : public Clock {
 public:
  std::int64_t now_us() const override { return system_.now_us() + ahead_ms * 1000; }
  std::int64_t monotonic_ms() const override { return system_.monotonic_ms() + ahead_ms; }
  std::atomic<std::int64_t> ahead_ms{0};

 private:
  SystemClock system_;
};

class SubscriptionTest : public testing::Test {
 protected:
  EventSource& subscription() {
    if (!subscription_) {
      config_.pubsub.endpoint = bus_.endpoint();
      make();
    }
    return *subscription_;
  }
  void make() {
    subscription_ = make_subscription(config_, "/data/ChangeEvents", tokens_, metrics_, clock_);
  }
  Fetched& next() {
    subscription().next(clock_.monotonic_ms() + kPatience, out_);
    return out_;
  }
  void subscribe(std::size_t credit = 100) {
    const auto done = subscription().subscribe(Start::Earliest, {}, credit);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  /// Subscribes to a stream that ends at once with this status.
  Error end_of(grpc::StatusCode status, const std::string& code) {
    bus_.on_subscribe = [=](auto& context, auto&) { return FakeBus::fail(context, status, code); };
    subscribe();
    EXPECT_EQ(next().what, What::Ended);
    return out_.end;
  }
  /// Keeps a stream open and mute until the client goes.
  static grpc::Status linger(grpc::ServerContext&, FakeBus::Stream& stream) {
    bus::FetchRequest request;
    while (stream.Read(&request)) continue;
    return grpc::Status::OK;
  }

  TempDir dir_;
  LoginServer login_;
  FakeBus bus_;
  MovedClock clock_;
  std::shared_ptr<OrgMetrics> metrics_ = std::make_shared<OrgMetrics>();
  OrgConfig config_ = [this] {
    auto config = org_config(login_.url(), dir_);
    config.pubsub.tls = false;
    return config;
  }();
  std::shared_ptr<TokenSource> tokens_ = std::make_shared<TokenSource>(config_, metrics_, clock_);
  std::unique_ptr<EventSource> subscription_;
  Fetched out_;
};

TEST_F(SubscriptionTest, TheFirstRequestNamesTopicPositionAndCredit) {
  std::promise<bus::FetchRequest> told;
  bus_.on_subscribe = [&](auto&, auto& stream) {
    bus::FetchRequest request;
    stream.Read(&request);
    told.set_value(request);
    stream.Write(FakeBus::events(7, 2));
    return grpc::Status::OK;
  };
  const std::string position("\0\0\0\0\0\x17\x90\x50\0\0", 10);
  ASSERT_TRUE(subscription().subscribe(Start::After, ReplayId(position), 42).ok());
  ASSERT_EQ(next().what, What::Response);
  const auto first = told.get_future().get();
  EXPECT_EQ(first.topic_name(), "/data/ChangeEvents");
  EXPECT_EQ(first.replay_preset(), bus::CUSTOM);
  EXPECT_EQ(first.replay_id(), position);
  EXPECT_EQ(first.num_requested(), 42);
  EXPECT_EQ(first.auth_refresh(), "");
  ASSERT_EQ(out_.events.size(), 2u);
  EXPECT_EQ(out_.events[0].replay_id, "replay-7");
  EXPECT_EQ(out_.events[0].payload, "hhhhhhhhhh");
  EXPECT_EQ(out_.events[0].schema_id, "schema");
  EXPECT_EQ(out_.latest_replay_id, "replay-8");
}

TEST_F(SubscriptionTest, EveryCallCarriesTokenInstanceTenantAndATraceOfItsOwn) {
  bus_.on_subscribe = linger;
  subscribe();
  subscription().cancel();
  const auto calls = bus_.calls();
  ASSERT_GE(calls.size(), 1u);  // the stream's own call may have been cancelled on its way
  std::set<std::string> traces;
  for (const auto& call : calls) {
    EXPECT_EQ(call.find("accesstoken")->second, "token-1");
    EXPECT_EQ(call.find("instanceurl")->second, login_.url());
    EXPECT_EQ(call.find("tenantid")->second, LoginServer::kOrgId);
    traces.insert(call.find("x-client-trace-id")->second);
  }
  EXPECT_EQ(traces.size(), calls.size());
}

TEST_F(SubscriptionTest, CreditIsToppedUpEarlyAndNeverAboveAHundred) {
  // The server gives no event more once half of what was asked for has come: a client that waits
  // for the rest before it asks again would wait for ever.
  constexpr int kEvents = 5'000;
  std::atomic<int> most = 0;
  bus_.on_subscribe = [&](auto&, auto& stream) {
    bus::FetchRequest request;
    int outstanding = 0, sent = 0;
    while (sent < kEvents && stream.Read(&request)) {
      outstanding += request.num_requested();
      most = std::max(most.load(), outstanding);
      while (outstanding > 50 && sent < kEvents) {
        const int count = std::min({7, outstanding, kEvents - sent});
        outstanding -= count;
        auto response = FakeBus::events(sent, count);
        response.set_pending_num_requested(outstanding);
        sent += count;
        stream.Write(response);
      }
    }
    return grpc::Status::OK;
  };
  Credit credit;
  subscribe(100);
  credit.requested(100);
  int seen = 0;
  while (next().what == What::Response) {
    seen += static_cast<int>(out_.events.size());
    credit.received(out_.events.size());
    const auto events = credit.request(1'000);
    subscription().request(events);
    credit.requested(events);
  }
  EXPECT_EQ(out_.what, What::Ended);
  EXPECT_EQ(seen, kEvents);
  EXPECT_EQ(most, 100);
}

TEST_F(SubscriptionTest, CreditAskedForDuringAWriteIsAddedUp) {
  std::atomic<int> asked{0}, requests{0};
  bus_.on_subscribe = [&](auto&, auto& stream) {
    bus::FetchRequest request;
    while (stream.Read(&request)) {
      EXPECT_GT(request.num_requested(), 0);
      ++requests;
      if ((asked += request.num_requested()) == 100) stream.Write(FakeBus::events(0, 1));
    }
    return grpc::Status::OK;
  };
  subscribe(1);
  for (int i = 0; i < 99; ++i) subscription().request(1);  // before the call has even started
  ASSERT_EQ(next().what, What::Response);
  EXPECT_EQ(asked, 100);
  EXPECT_LE(requests, 3);
}

TEST_F(SubscriptionTest, AKeepaliveIsAResponseWithoutEvents) {
  bus_.on_subscribe = [&](auto&, auto& stream) {
    bus::FetchResponse keepalive;
    keepalive.set_latest_replay_id("ahead");
    keepalive.set_pending_num_requested(100);
    stream.Write(keepalive);
    return grpc::Status::OK;
  };
  subscribe();
  ASSERT_EQ(next().what, What::Response);
  EXPECT_TRUE(out_.events.empty());
  EXPECT_EQ(out_.latest_replay_id, "ahead");
  EXPECT_EQ(out_.pending, 100);
}

TEST_F(SubscriptionTest, ACleanEndIsAnEndToo) {
  bus_.on_subscribe = [](auto&, auto& stream) {
    stream.Write(FakeBus::events(0, 3));
    return grpc::Status::OK;
  };
  subscribe();
  ASSERT_EQ(next().what, What::Response);
  ASSERT_EQ(next().what, What::Ended);
  EXPECT_EQ(out_.end.kind, ErrorKind::Transient);
  EXPECT_EQ(out_.end.message,
            "subscribe to /data/ChangeEvents of org emea: the server ended the stream; subscribing "
            "again");
}

TEST_F(SubscriptionTest, AnEndIsToldByItsTrailer) {
  auto end = end_of(grpc::StatusCode::INTERNAL, "service.unavailable");
  EXPECT_EQ(end.kind, ErrorKind::Transient);
  EXPECT_EQ(end.code, "service.unavailable");
  EXPECT_EQ(end.message,
            "subscribe to /data/ChangeEvents of org emea: service.unavailable INTERNAL: no rpc-id "
            "f5a2b8e0; "
            "Salesforce's event bus is down; subscribing again");

  end = end_of(grpc::StatusCode::INVALID_ARGUMENT, "subscription.fetch.replayid.corrupted");
  EXPECT_EQ(end.kind, ErrorKind::Transient);
  EXPECT_EQ(recovery(end), Recovery::ResetPosition);

  end = end_of(grpc::StatusCode::RESOURCE_EXHAUSTED, "subscription.limit.exceeded");
  EXPECT_EQ(end.kind, ErrorKind::Blocked);
  EXPECT_EQ(recovery(end), Recovery::Quota);

  end = end_of(grpc::StatusCode::UNAVAILABLE, "");
  EXPECT_EQ(end.kind, ErrorKind::Transient);
  EXPECT_EQ(end.code, "");
}

TEST_F(SubscriptionTest, ARefusedTokenIsReplaced) {
  bus_.on_subscribe = [](auto& context, auto& stream) {
    const auto token = context.client_metadata().find("accesstoken")->second;
    if (token == "token-1")
      return FakeBus::fail(context, grpc::StatusCode::UNAUTHENTICATED, "service.auth.error");
    stream.Write(FakeBus::events(0, 1));
    return grpc::Status::OK;
  };
  subscribe();
  ASSERT_EQ(next().what, What::Ended);
  EXPECT_EQ(out_.end.kind, ErrorKind::Transient);
  EXPECT_EQ(out_.end.code, "service.auth.error");
  subscribe();
  EXPECT_EQ(next().what, What::Response);
  EXPECT_EQ(login_.logins(), 2);
}

TEST_F(SubscriptionTest, FreshTokensRefusedThreeTimesNeedAPerson) {
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(end_of(grpc::StatusCode::UNAUTHENTICATED, "service.auth.error").kind,
              ErrorKind::Transient);
  const auto end = end_of(grpc::StatusCode::UNAUTHENTICATED, "service.auth.error");
  EXPECT_EQ(end.kind, ErrorKind::Blocked);
  EXPECT_THAT(end.message, HasSubstr("fresh tokens are refused again and again"));
}

TEST_F(SubscriptionTest, AStreamThatSpokeCountsRefusalsAnew) {
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(end_of(grpc::StatusCode::UNAUTHENTICATED, "service.auth.error").kind,
              ErrorKind::Transient);
  bus_.on_subscribe = [](auto& context, auto& stream) {
    stream.Write(FakeBus::events(0, 1));
    return FakeBus::fail(context, grpc::StatusCode::UNAUTHENTICATED, "service.auth.error");
  };
  subscribe();
  ASSERT_EQ(next().what, What::Response);
  ASSERT_EQ(next().what, What::Ended);
  EXPECT_EQ(out_.end.kind, ErrorKind::Transient) << out_.end.message;
}

TEST_F(SubscriptionTest, EachResponseBeginsTheSilenceAnew) {
  config_.pubsub.silence_max = 300s;
  bus_.on_subscribe = [](auto&, auto& stream) {
    bus::FetchRequest request;
    for (int i = 0; stream.Read(&request); ++i) stream.Write(FakeBus::events(i, 1));
    return grpc::Status::OK;
  };
  subscribe(1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(next().what, What::Response) << out_.end.message;
    clock_.ahead_ms += 200'000;
    if (i < 2) subscription().request(1);
  }
  subscription().next(clock_.monotonic_ms() + 50, out_);
  EXPECT_EQ(out_.what, What::Woken) << out_.end.message;
}

TEST_F(SubscriptionTest, SilenceEndsTheStream) {
  config_.pubsub.silence_max = 300ms;
  bus_.on_subscribe = linger;
  subscribe();
  ASSERT_EQ(next().what, What::Ended);
  EXPECT_EQ(out_.end.kind, ErrorKind::Transient);
  EXPECT_EQ(out_.end.code, "silence");
  EXPECT_THAT(out_.end.message, HasSubstr("no response for"));
}

TEST_F(SubscriptionTest, ANewStreamWorksAfterSilence) {
  config_.pubsub.silence_max = 300ms;
  std::atomic<int> streams{0};
  bus_.on_subscribe = [&](auto& context, auto& stream) {
    if (++streams == 1) return linger(context, stream);
    stream.Write(FakeBus::events(0, 1));
    return grpc::Status::OK;
  };
  subscribe();
  ASSERT_EQ(next().what, What::Ended);
  subscribe();
  EXPECT_EQ(next().what, What::Response);
}

TEST_F(SubscriptionTest, NextReturnsAtItsDeadline) {
  bus_.on_subscribe = linger;
  subscribe();
  subscription().next(clock_.monotonic_ms() + 50, out_);
  EXPECT_EQ(out_.what, What::Woken);
}

TEST_F(SubscriptionTest, AnyThreadWakesNext) {
  bus_.on_subscribe = linger;
  subscribe();
  std::jthread waker([&] { subscription_->wake(); });
  EXPECT_EQ(next().what, What::Woken);
}

TEST_F(SubscriptionTest, ManyThreadsWakeAndNoWakeIsLost) {
  bus_.on_subscribe = linger;
  subscribe();
  constexpr int kThreads = 4, kRounds = 500;
  std::atomic<int> posted{0}, taken{0};
  std::vector<std::jthread> wakers;
  for (int t = 0; t < kThreads; ++t)
    wakers.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        ++posted;
        subscription_->wake();
      }
    });
  // A wake that is posted is seen by a next() that begins, or goes on, after it.
  while (taken < kThreads * kRounds) {
    ASSERT_EQ(next().what, What::Woken);
    taken = posted.load();
  }
}

TEST_F(SubscriptionTest, WakeWorksWithoutAStream) {
  subscription().wake();
  EXPECT_EQ(next().what, What::Woken);
}

TEST_F(SubscriptionTest, CancelEndsAStreamInTheMiddle) {
  std::atomic<bool> cancelled{false};
  std::latch over(1);
  bus_.on_subscribe = [&](auto& context, auto& stream) {
    for (int i = 0; stream.Write(FakeBus::events(i, 1)); ++i) continue;
    cancelled = context.IsCancelled();
    over.count_down();
    return grpc::Status::OK;
  };
  subscribe();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(next().what, What::Response);
  subscription().cancel();
  over.wait();
  EXPECT_TRUE(cancelled);
  subscription().cancel();  // none is left: nothing happens
  subscription().next(clock_.monotonic_ms(), out_);
  EXPECT_EQ(out_.what, What::Woken);
}

TEST_F(SubscriptionTest, AStreamMayBeDestroyedWhileItRuns) {
  bus_.on_subscribe = linger;
  subscribe();
  subscription().wake();
  subscription_.reset();
}

TEST_F(SubscriptionTest, AHundredEventsOfSixtyKilobytesFit) {
  bus_.on_subscribe = [](auto&, auto& stream) {
    for (int i = 0; i < 5; ++i) stream.Write(FakeBus::events(i * 100, 100, 60 << 10));
    return grpc::Status::OK;
  };
  subscribe();
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(next().what, What::Response) << out_.end.message;
    ASSERT_EQ(out_.events.size(), 100u);
    EXPECT_EQ(out_.events[99].payload.size(), 60u << 10);
    EXPECT_EQ(out_.events[1].payload.front(), static_cast<char>('a' + (i * 100 + 1) % 26));
  }
  EXPECT_EQ(next().what, What::Ended);
}

TEST_F(SubscriptionTest, ATopicThatIsNotThereIsBlockedWithTheRemedy) {
  bus_.on_topic = [](auto& context, auto&) {
    return FakeBus::fail(context, grpc::StatusCode::NOT_FOUND, "topic.not.found", "unknown topic");
  };
  const auto done = subscription().subscribe(Start::Latest, {}, 1);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Blocked);
  EXPECT_EQ(done.error().code, "topic.not.found");
  EXPECT_EQ(done.error().message,
            "subscribe to /data/ChangeEvents of org emea: topic.not.found NOT_FOUND: unknown topic "
            "rpc-id "
            "f5a2b8e0; check the topic's name (case matters) and that Change Data Capture is "
            "switched on for "
            "it in Setup");
}

TEST_F(SubscriptionTest, ATopicThatMayNotBeReadIsBlocked) {
  bus_.on_topic = [](auto&, auto& info) {
    info.set_can_subscribe(false);
    return grpc::Status::OK;
  };
  const auto done = subscription().subscribe(Start::Latest, {}, 1);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Blocked);
  EXPECT_THAT(done.error().message, HasSubstr("give it View All Data"));
}

TEST_F(SubscriptionTest, AServerThatIsNotThereIsTransient) {
  config_.pubsub.endpoint = "127.0.0.1:1";
  make();
  const auto done = subscription().subscribe(Start::Latest, {}, 1);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::Transient);
}

TEST_F(SubscriptionTest, ASchemaIsFetchedByIdWithAFreshToken) {
  bus_.on_subscribe = linger;
  bus_.on_schema = [](auto& context, const auto& id, auto& info) {
    // The token that the stream was opened with has died meanwhile.
    if (context.client_metadata().find("accesstoken")->second == "token-1")
      return FakeBus::fail(context, grpc::StatusCode::UNAUTHENTICATED, "service.auth.error");
    info.set_schema_json("{\"id\":\"" + id + "\"}");
    return grpc::Status::OK;
  };
  subscribe();
  const auto schema = subscription().fetch_schema("abc");
  ASSERT_TRUE(schema.ok()) << schema.error().message;
  EXPECT_EQ(*schema, "{\"id\":\"abc\"}");
  EXPECT_EQ(login_.logins(), 2);
  EXPECT_EQ(metrics_->schema_fetches, 1u);
}

TEST_F(SubscriptionTest, ASchemaIsRefusedForGoodOnlyByWhatIsFinal) {
  struct Case {
    grpc::StatusCode status;
    const char* code;
    ErrorKind kind;
  };
  using S = grpc::StatusCode;
  // Set once: the server's thread reads the script whenever it likes.
  std::mutex mutex;
  Case asked{};
  bus_.on_schema = [&](auto& context, const auto&, auto&) {
    const std::lock_guard lock(mutex);
    return FakeBus::fail(context, asked.status, asked.code);
  };
  for (const auto& c : {Case{S::NOT_FOUND, "", ErrorKind::Rejected},
                        Case{S::INVALID_ARGUMENT, "", ErrorKind::Rejected},
                        Case{S::INVALID_ARGUMENT, "schema.validation.failed", ErrorKind::Rejected},
                        Case{S::PERMISSION_DENIED, "schema.meta.permission", ErrorKind::Rejected},
                        Case{S::UNKNOWN, "schema.api.unavailable", ErrorKind::Transient},
                        Case{S::NOT_FOUND, "schema.api.unavailable", ErrorKind::Transient},
                        Case{S::INTERNAL, "service.unavailable", ErrorKind::Transient},
                        Case{S::UNAVAILABLE, "", ErrorKind::Transient}}) {
    {
      const std::lock_guard lock(mutex);
      asked = c;
    }
    const auto schema = subscription().fetch_schema("abc");
    ASSERT_FALSE(schema.ok());
    EXPECT_EQ(schema.error().kind, c.kind) << c.code << ' ' << schema.error().message;
    EXPECT_THAT(schema.error().message, StartsWith("get schema abc of org emea: "));
  }
}

TEST_F(SubscriptionTest, TlsIsVerifiedAgainstTheNamedAuthority) {
  const auto ours = Authority::make("ours"), other = Authority::make("other");
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({ours.server.key, ours.server.certificate});
  FakeBus tls(grpc::SslServerCredentials(options));
  tls.on_subscribe = [](auto&, auto& stream) {
    stream.Write(FakeBus::events(0, 1));
    return grpc::Status::OK;
  };
  config_.pubsub.endpoint = tls.endpoint();
  config_.pubsub.tls = true;
  config_.pubsub.ca_file = dir_.write("ours.pem", ours.root.certificate);
  make();
  subscribe();
  EXPECT_EQ(next().what, What::Response);

  config_.pubsub.ca_file = dir_.write("other.pem", other.root.certificate);
  make();
  auto refused = subscription().subscribe(Start::Latest, {}, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked) << refused.error().message;
  EXPECT_THAT(refused.error().message, HasSubstr("the server's certificate is not trusted"));

  config_.pubsub.ca_file = "/nowhere/ca.pem";
  make();
  refused = subscription().subscribe(Start::Latest, {}, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::Blocked);
  EXPECT_THAT(refused.error().message, HasSubstr("ca_file /nowhere/ca.pem cannot be read"));
}

}  // namespace
}  // namespace headwater::salesforce
