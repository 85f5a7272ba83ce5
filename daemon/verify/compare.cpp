#include "daemon/verify/compare.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "schemas/core/json_members.hpp"
#include "schemas/core/json_text.hpp"
#include "schemas/core/time.hpp"

namespace headwater::verify {
namespace {

namespace json = boost::json;

std::string shown(const json::value* value, Wording wording) {
  if (value == nullptr) return "nothing";
  return wording.values ? json::serialize(*value) : "another value";
}

std::string differs(std::string_view member,
                    const json::value* want,
                    const json::value* have,
                    Wording wording) {
  if (!wording.values && want != nullptr && have != nullptr)
    return fmt::format("{} differs", member);
  return fmt::format("{}: should be {}, is {}", member, shown(want, wording), shown(have, wording));
}

/// Postgres text holds no NUL: the sink replaces it.
std::string without_nul(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\0')
      out += "\xEF\xBF\xBD";
    else
      out += c;
  }
  return out;
}

json::value without_nul(const json::value& value) {
  if (value.is_string()) return json::value(without_nul(std::string_view(value.as_string())));
  if (value.is_object()) {
    json::object out;
    for (const auto& [key, member] : value.as_object())
      out[without_nul(std::string_view(key))] = without_nul(member);
    return out;
  }
  if (value.is_array()) {
    json::array out;
    for (const auto& item : value.as_array()) out.push_back(without_nul(item));
    return out;
  }
  return value;
}

bool same_text(std::string_view want, std::string_view have) {
  if (without_nul(want) == have) return true;
  const auto as_time = [](std::string_view text) {
    auto ms = parse_datetime(text);
    return ms ? ms : parse_time_of_day(text);
  };
  const auto a = as_time(want);
  return a && a == as_time(have);
}

/// A column's value prints like the field's, up to the form of times.
bool same_column(const json::value& want, const json::value& have) {
  if (want.is_string() && have.is_string()) return same_text(want.as_string(), have.as_string());
  return without_nul(want) == have;
}

bool later_text(const json::value* have, const json::value& want) {
  return have != nullptr && have->is_string() && want.is_string() &&
         have->as_string() > want.as_string();
}

bool same_list(const json::value* want, const json::value* have) {
  if (want == nullptr || have == nullptr) return want == have;
  return *want == *have;
}

/// A number's shortest digits; a whole one's own, as a double may not hold them all.
void append_plain_number(std::string& out, std::string_view token) {
  const char* const end = token.data() + token.size();
  const auto takes_all = [&](auto number) {
    const auto read = std::from_chars(token.data(), end, number);
    return std::pair(read.ec == std::errc() && read.ptr == end, number);
  };
  const auto [is_double, real] = takes_all(0.0);
  if (!is_double || takes_all(std::int64_t{0}).first) {
    out += token;
  } else {
    append_json_number(out, real);
  }
}

/// Postgres writes a numeric with all its digits, 309 of them for 1.797e308, and the JSON library
/// rounds those otherwise than the same number's short form, at the end even to infinity. So both
/// sides are given the same digits first.
std::string with_plain_numbers(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (!quoted && (c == '-' || (c >= '0' && c <= '9'))) {
      const auto length = text.substr(i).find_first_not_of("+-.0123456789Ee");
      const auto token = text.substr(i, length);
      append_plain_number(out, token);
      i += token.size();
      continue;
    }
    const std::size_t taken = quoted && c == '\\' ? 2 : 1;
    if (c == '"') quoted = !quoted;
    out += text.substr(i, taken);
    i += taken;
  }
  return out;
}

std::string row_difference(std::string_view sections, std::string_view text, Wording wording) {
  boost::system::error_code broken;
  const auto want = json::parse("{" + with_plain_numbers(sections) + "}", broken);
  const auto held = broken ? json::value() : json::parse(with_plain_numbers(text), broken);
  if (broken || !held.is_object()) return "it cannot be read";
  const auto& row = held.at("row").as_object();
  const auto& edges = held.at("edges").as_object();
  const auto* fields = row.if_contains("fields");
  const auto* unplanned = fields == nullptr ? nullptr : fields->if_object();
  for (const auto& [name, value] : want.at("fields").as_object()) {
    const auto* column = row.if_contains(name);
    if (column == nullptr) column = row.if_contains("x_" + std::string(name));
    // A field that lost its column, which stays: its value went where those without one stand.
    if (column != nullptr && column->is_null() && unplanned != nullptr &&
        unplanned->contains(name)) {
      column = unplanned->if_contains(name);
    }
    if (column != nullptr && !same_column(value, *column))
      return differs(std::string(name), &value, column, wording);
  }
  for (const char* section : {"extra", "raw"}) {
    const auto* have = row.if_contains(section);
    if (have == nullptr || without_nul(want.at(section)) != *have)
      return differs(section, &want.at(section), have, wording);
  }
  for (const char* list : {"violations", "retired"}) {
    const auto* listed = want.as_object().if_contains(list);
    const auto* kept = row.if_contains(list);
    if (kept != nullptr && kept->is_null()) kept = nullptr;
    if (!same_list(listed, kept)) return differs(list, listed, kept, wording);
  }
  const auto& refs = want.at("refs").as_object();
  for (const auto& [name, value] : refs) {
    const auto* edge = edges.if_contains(name);
    if (edge == nullptr || *edge != value)
      return differs(fmt::format("edge {}", std::string(name)), &value, edge, wording);
  }
  for (const auto& [name, value] : edges)
    if (!refs.contains(name))
      return differs(fmt::format("edge {}", std::string(name)), nullptr, &value, wording);
  return {};
}

/// True of a member that the ledger has of a field that the org has no longer, or hides from us:
/// its last value stays. Where the org shows a field, it is among the unmapped ones though null.
bool is_retired(std::string_view section,
                std::string_view name,
                const json::object& want,
                const json::object& have) {
  if (section == "extra") return true;
  if (section != "refs") return false;
  const std::string lookup = std::string(name) + "__c";
  const auto has = [&](const json::object& image) {
    const auto* extra = image.if_contains("extra");
    return extra != nullptr && extra->is_object() && extra->get_object().contains(lookup);
  };
  return has(have) && !has(want);
}

}  // namespace

std::string sections_of(std::string_view document) {
  const auto from = document.find("\"fields\":");
  const auto to = document.rfind(",\"meta\":{\"rev\":");
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return {};
  std::string out(document.substr(from, to - from));
  // The lists are its last members, in this order. Nothing else of meta is an object, and no name
  // in a list holds a bracket.
  auto rest = document.substr(to);
  for (const std::string_view list : {",\"violations\":[", ",\"retired\":["}) {
    const auto listed = rest.find(list);
    if (listed >= rest.find('}')) continue;
    const auto end = rest.find(']', listed) + 1;
    out += rest.substr(listed, end - listed);
    rest.remove_prefix(end);
  }
  return out;
}

std::optional<LedgerRecord> read_record(std::string document) {
  const auto from = document.find("\"fields\":");
  const auto to = document.rfind(",\"meta\":");
  if (from == std::string::npos || to == std::string::npos) return std::nullopt;
  boost::system::error_code broken;
  // Head and meta alone: the sections are compared as bytes.
  const auto head =
      json::parse(document.substr(0, from) + "\"meta\":" + document.substr(to + 8), broken);
  if (broken || !head.is_object()) return std::nullopt;
  const auto& object = head.get_object();
  const auto* meta = object.if_contains("meta");
  if (meta == nullptr || !meta->is_object()) return std::nullopt;
  LedgerRecord out;
  out.rkey = text_of(object, "key");
  out.entity = text_of(object, "entity");
  if (const auto* rev = meta->get_object().if_contains("rev"))
    out.rev = Rev{rev->to_number<std::uint64_t>(broken)};
  out.deleted = flag_of(meta->get_object(), "deleted");
  out.complete = flag_of(meta->get_object(), "complete");
  out.document = std::move(document);
  if (broken || out.rkey.empty()) return std::nullopt;
  return out;
}

std::string document_difference(std::string_view want,
                                std::string_view have,
                                bool by_org,
                                Wording wording,
                                const Retired* retired) {
  if (want == have) return {};
  boost::system::error_code broken;
  const auto wanted = json::parse("{" + std::string(want) + "}", broken);
  const auto found = broken ? json::value() : json::parse("{" + std::string(have) + "}", broken);
  if (broken || !found.is_object()) return "it is no canonical record";
  for (const char* list : {"violations", "retired"}) {
    if (by_org && list == std::string_view("retired")) continue;
    const auto* listed = wanted.as_object().if_contains(list);
    const auto* kept = found.as_object().if_contains(list);
    if (!same_list(listed, kept)) return differs(list, listed, kept, wording);
  }
  for (const auto& [section, members] : wanted.as_object()) {
    if (!members.is_object()) continue;
    const auto* there = found.as_object().if_contains(section);
    if (there == nullptr || !there->is_object())
      return fmt::format("it has no {}", std::string(section));
    const auto& other = there->get_object();
    for (const auto& [name, value] : members.as_object()) {
      const auto* held = other.if_contains(name);
      if (held != nullptr && *held == value) continue;
      if (by_org && name == "updated_at" && later_text(held, value)) continue;
      const auto member = fmt::format("{}.{}", std::string(section), std::string(name));
      if (retired != nullptr && retired->contains(member)) continue;
      return differs(member, &value, held, wording);
    }
    for (const auto& [name, value] : other) {
      if (members.as_object().contains(name)) continue;
      if (by_org && is_retired(section, name, wanted.as_object(), found.as_object())) continue;
      // The value that a later `updated_at` is not: kept in raw, because it is shown nowhere else.
      if (by_org && section == "raw" && name == "LastModifiedDate") continue;
      const auto member = fmt::format("{}.{}", std::string(section), std::string(name));
      if (retired != nullptr && retired->contains(member)) continue;
      return differs(member, nullptr, &value, wording);
    }
  }
  return {};
}

std::string held_difference(const LedgerRecord& record, const Held& held, Wording wording) {
  if (held.shape == Held::Shape::Row)
    return row_difference(sections_of(record.document), held.text, wording);
  auto difference =
      document_difference(sections_of(record.document), sections_of(held.text), false, wording);
  if (difference.empty() && held.relations_missing > 0)
    return fmt::format("{} of its relation sets lack it", held.relations_missing);
  return difference;
}

}  // namespace headwater::verify
