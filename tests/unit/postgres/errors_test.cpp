#include "connectors/postgres/errors.hpp"

#include <gtest/gtest.h>

namespace headwater::postgres {
namespace {

TEST(Classify, WhatMayWorkLaterIsTransient) {
  // No answer, connection failures, serialization, deadlock, too many connections, disk full,
  // read-only, lock and statement timeouts, shutdown, crash, starting up, internal error.
  for (const char* code : {"",
                           "08006",
                           "08001",
                           "40001",
                           "40P01",
                           "53300",
                           "53100",
                           "53200",
                           "25006",
                           "55P03",
                           "57014",
                           "57P01",
                           "57P02",
                           "57P03",
                           "25P03",
                           "58030",
                           "XX000"}) {
    EXPECT_EQ(classify(code), ErrorKind::Transient) << code;
  }
}

TEST(Classify, WhatShouldPassButMayLastSaysWhatToDo) {
  for (const char* code : {"25006", "53100", "53200", "53300"}) EXPECT_NE(remedy(code), "") << code;
  for (const char* code : {"", "08006", "40001", "57P01", "XX000"}) EXPECT_EQ(remedy(code), "");
}

TEST(Classify, WhatAPersonMustMendIsBlockedAndSaysHow) {
  for (const char* code :
       {"28P01", "28000", "3D000", "3F000", "42501", "42P01", "42703", "42883", "0A000"}) {
    EXPECT_EQ(classify(code), ErrorKind::Blocked) << code;
    EXPECT_NE(remedy(code), "") << code;
  }
}

TEST(Classify, WhatIsNeverAcceptedIsRejectedInWordsWithoutData) {
  for (const char* code : {"21000",
                           "22001",
                           "22003",
                           "22008",
                           "22021",
                           "22P02",
                           "22P05",
                           "23502",
                           "23505",
                           "23514",
                           "54000",
                           "22999"}) {
    EXPECT_EQ(classify(code), ErrorKind::Rejected) << code;
    EXPECT_NE(data_exception(code), "") << code;
  }
}

TEST(Classify, OnlyTheFenceIsFatal) { EXPECT_EQ(classify(kFenced), ErrorKind::Fatal); }

}  // namespace
}  // namespace headwater::postgres
