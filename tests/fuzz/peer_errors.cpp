// What peers say went wrong: trailers, HTTP bodies, replies and codes become one line of UTF-8, of
// bounded length, and a kind that somebody acts on.

#include <algorithm>

#include "connectors/kafka/errors.hpp"
#include "connectors/postgres/errors.hpp"
#include "connectors/redis/errors.hpp"
#include "connectors/salesforce/errors.hpp"
#include "tests/fuzz/json.hpp"

using namespace headwater;

namespace {

constexpr std::size_t kMessageBytesMax = 2'000, kCodeBytesMax = 200;

bool one_line(std::string_view text) {
  return std::none_of(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

void check(const Error& error) {
  HEADWATER_ASSERT(!error.message.empty() && error.message.size() <= kMessageBytesMax);
  HEADWATER_ASSERT(one_line(error.message) && error.code.size() <= kCodeBytesMax);
}

}  // namespace

FUZZ_TARGET(peer_errors) {
  fuzz::Pieces pieces(input);
  const auto which = pieces.byte() % 6;
  const auto status = static_cast<int>(pieces.number(2));
  const fuzz::Exact exact(pieces.rest());
  const auto text = exact.view();
  switch (which) {
    case 0: {
      const auto verdict = salesforce::classify(text, status);
      HEADWATER_ASSERT(!verdict.advice.empty() && verdict.pause >= Millis(0));
      HEADWATER_ASSERT(verdict.kind == ErrorKind::Transient || verdict.kind == ErrorKind::Blocked);
      (void)salesforce::least_pause(transient("x", std::string(text)));
      break;
    }
    case 1:
      check(salesforce::rest_error("describe Account", status, text));
      break;
    case 2:
      check(salesforce::login_error("log in", status, text));
      break;
    case 3: {
      const auto shown = salesforce::quoted(text, 100);
      HEADWATER_ASSERT(shown.size() <= 110 && one_line(shown));
      break;
    }
    case 4:
      check(redis::classify("127.0.0.1:6379", "headwater_put of 100 records", text));
      break;
    default:
      (void)postgres::classify(text);
      (void)postgres::remedy(text);
      (void)postgres::data_exception(text);
      check(kafka::error_of(static_cast<std::int16_t>(status), "produce"));
      break;
  }
}
