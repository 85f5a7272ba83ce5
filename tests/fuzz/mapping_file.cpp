// Any text is a mapping file, or its problems are told. A mapping reads back from its own source,
// with the same digest, and projects any record.

#include "config/mapping_file.hpp"

#include <array>

#include "schemas/crm/projector.hpp"
#include "schemas/model/render.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/json.hpp"

using namespace headwater;

namespace {

constexpr std::string_view kBuiltin = R"(version: 1
mapping_rev: 1
common:
  fields:
    created_at: {expr: CreatedDate, type: timestamp}
entities:
  account:
    object: Account
    fields:
      name: {expr: Name, required: true}
      owner_id: {expr: OwnerId, type: ref}
)";

/// As a ledger keeps a mapping: the build's tables, then each file behind its size.
std::string source_of(std::initializer_list<std::string_view> files) {
  std::string out = crm::projection_tables() + "\n";
  for (const auto file : files)
    out.append(std::to_string(file.size())).append("\n").append(file).append("\n");
  return out;
}

/// A record of the object with a value of every kind, whatever its fields are called.
void project(const std::shared_ptr<const crm::Mapping>& mapping, const std::string& object) {
  NameTable names;
  auto org = std::make_shared<crm::OrgFacts>();
  org->name = "emea";
  crm::Projector projector(mapping, org, object, names);
  const std::string id = "0015f00002JUXA8AAP";
  const std::array<ValueView, 9> values{ValueView::null(),
                                        ValueView::boolean(true),
                                        ValueView::integer(-7),
                                        ValueView::decimal(0.1),
                                        ValueView::of_text("a b\xff;c"),
                                        ValueView::of_text("a;b", Tag::Multi),
                                        ValueView::of_number(20'000, Tag::Date),
                                        ValueView::of_number(1'772'366'400'000, Tag::DateTime),
                                        ValueView::of_text(id, Tag::Ref)};
  crm::StateFacts facts;
  facts.id = id;
  crm::Projection out;
  for (std::size_t shift = 0; shift < values.size(); ++shift) {
    crm::RawSlots raw(names.size());
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = values[(i + shift) % values.size()];
    projector.project(raw, facts, out);
    std::string json;
    append_hash_input(json, out.bu, out.image(names));
    HEADWATER_ASSERT(is_utf8(json));
    fuzz::parsed(json);
  }
}

}  // namespace

FUZZ_TARGET(mapping_file) {
  // A small file in the place of the built-in one, whose parsing would be nearly all of the time.
  const auto mapping = config::read_mapping(source_of({kBuiltin, input}));
  if (!mapping) {
    HEADWATER_ASSERT(mapping.error().kind == ErrorKind::Rejected);
    return;
  }
  const auto again = config::read_mapping((*mapping)->source());
  HEADWATER_ASSERT(again && (*again)->digest() == (*mapping)->digest());
  for (const auto& entity : (*mapping)->entities()) project(*mapping, entity.object);
}
