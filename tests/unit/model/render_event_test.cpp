#include "schemas/model/render_event.hpp"

#include <gtest/gtest.h>

#include "tests/support/example_event.hpp"

namespace headwater {
namespace {

using test::example_event;

TEST(RenderEvent, TheEnvelopeHasTheFieldsAndWhereTheyCameFrom) {
  std::string out;
  append_event_envelope(out, example_event(), {"1.2", "00D5f000000AbCdEAK"});
  EXPECT_EQ(out,
            R"({"event":{"Amount__c":12.5},"key":"emea:Order_Event__e","source":{"version":"1.2",)"
            R"("connector":"salesforce-pubsub","name":"emea","org_id":"00D5f000000AbCdEAK",)"
            R"("topic":"/event/Order_Event__e","event":"Order_Event__e",)"
            R"("schema_id":"z7bQwT4lD5FYk9nX2Qe1Ew","replay_id":"1790",)"
            R"("event_uuid":"0f4d0b2e-0000-4000-8000-000000000001",)"
            R"("created_at":"2026-03-01T12:00:00.000Z","created_by":"0055f000005mc66AAA"},)"
            R"("ts_ms":1772366400123,"rev":42})");
}

TEST(RenderEvent, WhatIsNotKnownIsNull) {
  EntryView e = example_event();
  e.meta.commit_ts = 0;
  e.origin.event_uuid = e.origin.commit_user = {};
  std::string out;
  append_event_envelope(out, e, {"1.2", ""});
  for (const char* null :
       {"\"org_id\":null", "\"event_uuid\":null", "\"created_at\":null", "\"created_by\":null"})
    EXPECT_NE(out.find(null), std::string::npos) << null;
  std::string id;
  append_event_id(id, e);
  EXPECT_EQ(id, "emea/Order_Event__e/1790");
}

}  // namespace
}  // namespace headwater
