#include "connectors/salesforce/credit.hpp"

#include <algorithm>

#include "schemas/core/assert.hpp"

namespace headwater::salesforce {

std::size_t Credit::request(std::size_t room) const {
  const std::size_t window = std::min(kEventsRequestedMax, room);
  return outstanding_ <= window / 2 ? window - outstanding_ : 0;
}

void Credit::requested(std::size_t events) {
  HEADWATER_ASSERT(outstanding_ + events <= kEventsRequestedMax);
  outstanding_ += events;
}

void Credit::received(std::size_t events) { outstanding_ -= std::min(events, outstanding_); }

}  // namespace headwater::salesforce
