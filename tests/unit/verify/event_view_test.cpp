#include "daemon/verify/event_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headwater::verify {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A journal, a table and a topic, all of which have passed rev 100.
struct Events : testing::Test {
  EventView view;
  std::size_t table = place("postgres");
  std::size_t topic = place("kafka");
  std::size_t journal = place("the journal", true);

  std::size_t place(std::string name, bool is_journal = false) {
    EventView::Place out;
    out.name = std::move(name);
    out.passed["emea"] = 100;
    out.journal = is_journal;
    return view.add_place(std::move(out));
  }
  void hold(std::size_t at, std::uint64_t rev, const std::string& replay_id) {
    ASSERT_TRUE(view.add(at, "emea", {"/event/A__e", replay_id, "u", Rev{rev}}));
  }
  void everywhere(std::uint64_t rev, const std::string& replay_id) {
    for (const auto at : {table, topic, journal}) hold(at, rev, replay_id);
  }
  std::vector<std::string> differences() {
    view.begins(journal, "emea", 10);
    std::vector<std::string> out;
    EXPECT_TRUE(view.compare([&](std::string what) { out.push_back(std::move(what)); }));
    return out;
  }
};

TEST_F(Events, EqualPlacesAreEqual) {
  everywhere(20, "a");
  everywhere(30, "b");
  EXPECT_THAT(differences(), IsEmpty());
}

TEST_F(Events, WhatOnePlaceLacksIsNamedOnceItHasPassedIt) {
  everywhere(20, "a");
  hold(topic, 30, "b");
  hold(journal, 30, "b");
  hold(journal, 101, "not yet there");
  EXPECT_THAT(differences(),
              ElementsAre("postgres lacks the event emea /event/A__e b u, which kafka holds at rev "
                          "30",
                          "postgres lacks the event emea /event/A__e b u, which the journal holds "
                          "at rev 30"));
}

TEST_F(Events, APlaceThatBeganLaterOwesNothingThatTheJournalLost) {
  // Trimmed from the journal (it begins at rev 10), and cut off the topic by its retention.
  hold(table, 5, "a");
  everywhere(20, "b");
  EXPECT_THAT(differences(), IsEmpty());
}

TEST_F(Events, WhatTheJournalHasIsOwedByAnEmptyPlaceToo) {
  hold(topic, 20, "a");
  hold(journal, 20, "a");
  EXPECT_EQ(differences().size(), 2U);  // against either of the others
}

TEST_F(Events, WhatTheLedgerNeverTookIsNamed) {
  everywhere(20, "a");
  hold(table, 30, "b");
  hold(topic, 30, "b");
  EXPECT_THAT(differences(), testing::Contains(testing::StartsWith("the journal lacks the event")));
}

TEST_F(Events, AnEventThatWasToldTwiceIsNamed) {
  everywhere(20, "a");
  hold(topic, 40, "a");
  EXPECT_THAT(differences(),
              ElementsAre("kafka holds the event emea /event/A__e a u as rev 20 and as rev 40: it "
                          "was told twice"));
}

TEST_F(Events, WhatAnotherLedgerToldBeforeTheBirthIsNoSecondTelling) {
  view.born(30);
  hold(topic, 20, "sent again to the new ledger");
  everywhere(40, "sent again to the new ledger");
  // An older copy's own journal: it told this one after it was born anew at 30.
  hold(topic, 21, "told by the original");
  hold(table, 21, "told by the original");
  hold(topic, 25, "told by the original");
  hold(journal, 25, "told by the original");
  // Its topic was made anew, its table was not.
  hold(table, 22, "lost from the topic");
  hold(topic, 41, "lost from the topic");
  hold(journal, 41, "lost from the topic");
  EXPECT_THAT(differences(), IsEmpty());
}

TEST_F(Events, WhatTheLedgerToldTwiceIsNamedThoughAnotherToldItToo) {
  view.born(30);
  hold(topic, 20, "a");
  hold(topic, 35, "a");
  everywhere(40, "a");
  EXPECT_THAT(differences(),
              ElementsAre("kafka holds the event emea /event/A__e a u as rev 35 and as rev 40: it "
                          "was told twice"));
}

TEST_F(Events, OneRevInAllPlacesIsTheOrderInAllPlaces) {
  hold(table, 20, "a");
  hold(topic, 21, "a");
  hold(journal, 21, "a");
  EXPECT_THAT(differences(),
              ElementsAre("the event emea /event/A__e a u stands at rev 20 in postgres, but at rev "
                          "21 in kafka"));
}

}  // namespace
}  // namespace headwater::verify
