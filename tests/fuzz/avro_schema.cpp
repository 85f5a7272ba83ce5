// Any text is a schema within its bounds, or refused in a sentence.

#include "schemas/avro/datum.hpp"
#include "schemas/avro/plan.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace headwater;

FUZZ_TARGET(avro_schema) {
  const fuzz::Exact text(input);
  auto schema = avro::Schema::parse(text.view());
  if (!schema) {
    HEADWATER_ASSERT(schema.error().kind == ErrorKind::Rejected && !schema.error().message.empty());
    return;
  }
  HEADWATER_ASSERT(schema->nodes.size() <= avro::kSchemaNodesMax &&
                   schema->root < schema->nodes.size());
  std::size_t fields = 0;
  for (std::size_t i = 0; i < schema->nodes.size(); ++i) {
    const auto& node = schema->nodes[i];
    fields += node.fields.size();
    HEADWATER_ASSERT(node.type != avro::Type::Record || node.sorted.size() == node.fields.size());
    for (const auto& field : node.fields) HEADWATER_ASSERT(field.node < schema->nodes.size());
    for (const auto part : node.parts) HEADWATER_ASSERT(part < schema->nodes.size());
  }
  HEADWATER_ASSERT(fields <= avro::kSchemaFieldsMax);
  // Without cycles a walk over no bytes at all ends.
  avro::Input nothing{std::string_view()};
  avro::skip_datum(*schema, schema->root, nothing);

  const auto plan = avro::Plan::compile(std::move(*schema));
  if (!plan) return;
  HEADWATER_ASSERT(plan->leaves().size() <= avro::kLeavesMax);
  for (const auto& leaf : plan->leaves()) HEADWATER_ASSERT(leaf.top < plan->top_fields().size());
  for (const auto& top : plan->top_fields())
    HEADWATER_ASSERT(top.leaf_first + top.leaf_count <= plan->leaves().size());
}
