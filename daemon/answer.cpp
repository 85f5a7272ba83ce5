#include "daemon/answer.hpp"

#include <fmt/format.h>

#include "daemon/inspect.hpp"
#include "daemon/job_orders.hpp"
#include "daemon/order_words.hpp"
#include "schemas/core/json_text.hpp"

namespace headwater {
namespace {

std::string get(const std::string& rkey, const StatusSources& sources, ledger::Ledger& ledger) {
  const auto key = RecordKey::parse(rkey);
  if (!key) return refused(key.error().message);
  EntryBatch batch;
  const auto found = ledger.get(*key, batch);
  if (!found) return refused(found.error().message);
  if (!*found) {
    const auto org = org_of(key->org, sources);
    if (!org) return refused(org.error().message);
    return refused(fmt::format(
        "the ledger has never seen this record; if org {} has it, `headwater resync {} --ids FILE` "
        "reads it",
        key->org,
        key->object));
  }
  return record_json(batch.entries().front());
}

}  // namespace

void answer(const runtime::Question& question,
            const StatusSources& sources,
            ledger::Ledger& ledger,
            const Clock& clock,
            Orders& orders,
            AuditOrders& audits,
            runtime::Reply reply) {
  // An answer quotes what was asked, and every answer is JSON.
  if (!is_utf8(question.line)) return reply(refused("a command is UTF-8 text, and this is not"));
  const auto space = question.line.find(' ');
  const std::string verb = question.line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : question.line.substr(space + 1);
  static constexpr std::string_view kClose = "close ";
  if (verb == "status") return reply(status_json(sources, clock));
  if (verb == "get") return reply(get(rest, sources, ledger));
  if (verb == "quarantine") return orders.quarantine(rest, question.peer, std::move(reply));
  if (verb == "holes" && rest.starts_with(kClose))
    return reply(orders.close_hole(rest.substr(kClose.size()), question.peer));
  if (verb == "holes") return reply(holes_json(ledger, rest == "all"));
  if (verb == "resync") return reply(resync(rest, question.peer, sources, ledger));
  if (verb == "audit") return reply(audits.answer(rest, question.peer));
  if (verb == "jobs") return reply(jobs(rest, question.peer, ledger, clock));
  if (auto told = inspect(verb, rest, ledger)) return reply(std::move(*told));
  reply(refused("unknown command; known are status, get, holes, quarantine, resync, jobs, audit"));
}

}  // namespace headwater
