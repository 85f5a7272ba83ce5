#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/model/entry.hpp"

namespace headwater::kafka {

/// Headers of one message, rendered into one buffer. Reused: clear() keeps the memory. Names are
/// literals.
class HeaderList {
 public:
  struct Header {
    std::string_view name, value;
  };

  void clear() {
    text_.clear();
    marks_.clear();
  }
  void add(std::string_view name, std::string_view value) {
    text_.append(value);
    end(name);
  }
  /// Where a value may be appended; end(name) closes it.
  std::string& text() { return text_; }
  void end(std::string_view name) { marks_.push_back({name, text_.size()}); }

  std::size_t size() const { return marks_.size(); }
  /// Valid until the next change.
  Header operator[](std::size_t i) const {
    const std::size_t from = i == 0 ? 0 : marks_[i - 1].end;
    return {marks_[i].name, std::string_view(text_).substr(from, marks_[i].end - from)};
  }
  /// The value under a name, empty if there is none. Linear.
  std::string_view find(std::string_view name) const;

 private:
  struct Mark {
    std::string_view name;
    std::size_t end;
  };
  std::string text_;
  std::vector<Mark> marks_;
};

// What read-back looks for in every message of ours.
inline constexpr std::string_view kOrgHeader = "org";
inline constexpr std::string_view kRevHeader = "rev";
inline constexpr std::string_view kOpHeader = "op";
inline constexpr std::string_view kEpochHeader = "epoch";
/// Of a platform event that was refused when its turn came, and taken at a retry: it stands behind
/// greater revs, and is told once all the same.
inline constexpr std::string_view kRetriedHeader = "retried";

// CloudEvents in binary mode plus ours, on a changes topic (unified-model.md section 8). `epoch` is
// the sink's fencing epoch. Fixed ones are equal for all entries of one org, epoch, operation,
// verb, business unit and entity; the others differ from entry to entry.
//
// Not there: ce_dataschema, which must name a schema document (nothing publishes one yet: the read
// API would), and ce_dataclassification, which comes with the classes of personal data.
void render_fixed_change_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch);
void render_varying_change_headers(HeaderList& out, const EntryView& entry);

// On a records topic, `org op rev epoch` alone: a tombstone has no value to look into, and every
// header costs.
void render_fixed_record_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch);
void render_varying_record_headers(HeaderList& out, const EntryView& entry);

// On an events topic, CloudEvents again. Fixed: equal for all events of one org, epoch and name.
void render_fixed_event_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch);
void render_varying_event_headers(HeaderList& out, const EntryView& entry);

/// On the quarantine topic; subject (which is the message's key too), reason_code, stage, attempts
/// and first_seen are taken from the row.
void render_quarantine_headers(HeaderList& out, const EntryView& entry, std::uint64_t epoch);

}  // namespace headwater::kafka
