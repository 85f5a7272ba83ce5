#include "tests/org/record_types.hpp"

#include "schemas/core/assert.hpp"
#include "schemas/core/ids.hpp"

namespace headwater::org {
namespace {

constexpr std::string_view kTable = R"(RecordType 012
  DeveloperName text
  Name text
  SobjectType picklist
  IsActive bool
  ~SystemModstamp datetime
)";

}  // namespace

RecordTypes::RecordTypes(std::uint64_t seed)
    : catalog_(kTable),
      type_(catalog_.get("RecordType")),
      bus_(Millis{0}),
      store_(catalog_, bus_, Millis{0}, seed),
      business_(added("Account", "Business_Account")),
      partner_(added("Account", "Partner_Account")),
      person_(added("Account", "PersonAccount")),
      support_(added("Case", "Support")),
      complaint_(added("Case", "Complaint")) {}

Result<void> RecordTypes::save(DmlOp op, const std::string& id, std::vector<FieldValue> fields) {
  Dml dml;
  dml.op = op;
  dml.object = &type_;
  dml.ids = {id};
  dml.fields = std::move(fields);
  auto done = store_.commit({dml}, {});
  return done ? Result<void>() : done.error();
}

Result<std::string> RecordTypes::add(std::string_view object, std::string_view developer_name) {
  auto id = store_.new_id(type_);
  auto saved = save(DmlOp::Create,
                    id,
                    {{type_.leaf("DeveloperName"), std::string(developer_name)},
                     {type_.leaf("Name"), std::string(developer_name)},
                     {type_.leaf("SobjectType"), std::string(object)},
                     {type_.leaf("IsActive"), true}});
  if (!saved) return saved.error();
  return id;
}

std::string RecordTypes::added(std::string_view object, std::string_view developer_name) {
  auto id = add(object, developer_name);
  HEADWATER_ASSERT(id.ok());
  return std::move(id).value();
}

Result<void> RecordTypes::rename(const std::string& id, std::string_view developer_name) {
  return save(DmlOp::Update, id, {{type_.leaf("DeveloperName"), std::string(developer_name)}});
}

Value RecordTypes::default_of(const ObjectDef& object, const Record& record) const {
  const bool first = record.id[RecordId::kSize - 4] % 2 == 0;  // the last counting character
  if (object.name == "Case") return first ? support_ : complaint_;
  if (object.name != "Account") return {};
  if (!is_null(record.values[object.leaf("PersonContactId")])) return person_;
  return first ? business_ : partner_;
}

}  // namespace headwater::org
