#pragma once

#include <string>

#include "daemon/audit_orders.hpp"
#include "daemon/orders.hpp"
#include "daemon/status.hpp"

namespace headwater {

/// Answers a line of the control socket, a verb and its arguments (`get emea:Account:001…`), with
/// one JSON document: `{"error": "…"}` if it is refused.
void answer(const runtime::Question& question,
            const StatusSources& sources,
            ledger::Ledger& ledger,
            const Clock& clock,
            Orders& orders,
            AuditOrders& audits,
            runtime::Reply reply);

}  // namespace headwater
