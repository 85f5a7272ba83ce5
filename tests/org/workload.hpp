#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/org/phrases.hpp"
#include "tests/org/store.hpp"

namespace headwater::org {

/// Fields of one statement while it is being written.
class Draft {
 public:
  Draft(DmlOp op, const ObjectDef& object, std::vector<std::string> ids) {
    dml_.op = op;
    dml_.object = &object;
    dml_.ids = std::move(ids);
  }
  /// Empty text is null, as Salesforce stores it.
  Draft& set(std::string_view field, Value value) {
    if (const auto* text = std::get_if<std::string>(&value); text && text->empty()) value = Value{};
    dml_.fields.push_back({dml_.object->leaf(field), std::move(value)});
    return *this;
  }
  Draft& untold() {
    dml_.told = false;
    return *this;
  }
  Draft& silent() {
    dml_.silent = true;
    return *this;
  }
  Draft& related(ChildEvents children) {
    dml_.related = true;
    dml_.children = children;
    return *this;
  }
  Draft& into(std::string winner, ChildEvents children) {
    dml_.into = std::move(winner);
    dml_.children = children;
    return *this;
  }
  const std::string& id() const { return dml_.ids.front(); }
  operator Dml() const { return dml_; }  // NOLINT: a draft is a statement

 private:
  Dml dml_;
};

struct ReplayPlan {
  std::size_t events = 100'000;
  std::size_t records = 10'000;  ///< at most this many are created; then all events are updates
  double update_share = 0.9;     ///< of events while records are still being created
  std::vector<std::string> objects{"Account", "Contact", "Opportunity", "Case"};
};

struct FillPlan {
  std::size_t records = 10'000;  ///< in all, the objects in turn
  std::vector<std::string> objects{"Account", "Contact", "Opportunity", "Case", "Lead"};
  bool told = false;  ///< with their events; else they were there before anybody listened
};

/// CRM life from a seed: each step is one transaction that some user, trigger or import made. The
/// same seed gives the same data in the same order, as long as nothing else changes the org. One
/// thread at a time.
class Workload {
 public:
  Workload(Store& store, std::uint64_t seed);
  /// Everything makes an event from now on, lookups that a deletion clears too: then events alone
  /// are the truth.
  void tell_all() { tells_all_ = true; }

  /// One transaction.
  void step();
  /// Creates records and updates them, one small event per transaction: exactly plan.events.
  Result<void> replay(const ReplayPlan& plan);
  /// Creates records, many in a transaction. Later steps change and delete them as any other.
  Result<void> fill(const FillPlan& plan);

 private:
  using Statements = std::vector<Dml>;
  using Step = void (Workload::*)();
  struct Choice {
    unsigned weight;
    Step step;
  };
  static const std::vector<Choice>& choices();

  // Each is one kind of transaction.
  void first_day();
  void sign_customer();
  void sign_person();
  void change_person();
  void change_account();
  void change_contact();
  void capture_lead();
  void work_lead();
  void convert_lead();
  void open_opportunity();
  void move_opportunity();
  void open_case();
  void work_case();
  void plan_task();
  void finish_task();
  void plan_event();
  void change_order();
  void send_invoice();
  void settle_invoice();
  void hand_over();
  void geocode();
  void delete_account();
  void delete_some();
  void undelete_some();
  void merge_some();
  void empty_bin();
  void add_product();
  void change_user();
  void trigger_chain();
  void keep_minutes();

  Result<std::vector<const ObjectDef*>> named(const std::vector<std::string>& objects) const;
  Draft create(std::string_view object);
  Draft update(std::string_view object, std::vector<std::string> ids);
  void fill_address(Draft& draft, const std::string& prefix);
  void fill_person(Draft& draft);
  Draft draft_contact(const std::string& account);
  Draft draft_opportunity(const std::string& account, const std::string& contact);
  Draft draft_filler(const ObjectDef& object);
  void touch_filler(Draft& draft);

  /// A living record of this object, or empty.
  std::string pick(std::string_view object);
  std::vector<std::string> pick_some(std::string_view object, std::size_t count);
  void commit(const Statements& statements);
  Result<void> commit_as(const Statements& statements, const Author& author);
  std::int64_t day(std::int64_t from_today);
  const ObjectDef& def(std::string_view object) const { return store_.catalog().get(object); }

  /// `rare` of a hundred times by no event at all.
  ChildEvents child_events(unsigned rare);

  Store& store_;
  Dice dice_;
  bool tells_all_ = false;
  std::map<std::string, std::vector<std::string>, std::less<>> live_, binned_;
  std::vector<std::pair<std::string, std::string>>
      fresh_;                        ///< object and id of what is being created
  std::vector<std::string> people_;  ///< person accounts
};

}  // namespace headwater::org
