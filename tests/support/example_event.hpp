#pragma once

#include "schemas/model/entry.hpp"

namespace headwater::test {

/// A platform event as it stands in the journal, with all that is known of one. A test changes what
/// it is about.
inline EntryView example_event(Rev rev = Rev{42}) {
  EntryView e;
  e.kind = EntryKind::Event;
  e.op = Op::Create;
  e.rkey = "emea:Order_Event__e";
  e.org = "emea";
  e.object = "Order_Event__e";
  e.topic = "/event/Order_Event__e";
  e.ts_ms = 1'772'366'400'123;
  e.meta.rev = rev;
  e.meta.commit_ts = 1'772'366'400'000;
  e.origin.type = ChangeType::Create;
  e.origin.commit_user = "0055f000005mc66AAA";
  e.origin.schema_id = "z7bQwT4lD5FYk9nX2Qe1Ew";
  e.origin.replay_id = "\x17\x90";
  e.origin.event_uuid = "0f4d0b2e-0000-4000-8000-000000000001";
  e.row = R"({"Amount__c":12.5})";
  return e;
}

}  // namespace headwater::test
