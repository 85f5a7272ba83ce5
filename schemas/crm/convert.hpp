#pragma once

#include <memory_resource>
#include <string_view>

#include "schemas/crm/evaluate.hpp"
#include "schemas/crm/mapping.hpp"

namespace headwater::crm {

/// How a value took to the type of its field.
enum class Fit : std::uint8_t {
  Same,     ///< the field's value tells the source's
  Changed,  ///< it was rewritten: trimmed
  Error,    ///< it does not fit: the field is null
};

/// True if a value of this tag is a field's value as it stands, without a look at its bytes.
bool fits_as_is(FieldType type, Tag tag);

/// Makes `out` the field's value. `in` is not null. Texts that are made live in `arena`.
Fit convert(const FieldMapping& field,
            const ValueView& in,
            std::pmr::memory_resource& arena,
            ValueView& out);
Fit convert(const FieldMapping& field,
            const Datum& in,
            std::pmr::memory_resource& arena,
            ValueView& out);

/// An id of 15 or 18 characters as a reference.
Fit convert_to_ref(const ValueView& in, std::pmr::memory_resource& arena, ValueView& out);

/// True if a field's value tells what the source's value was: equal text, number or bool.
bool tells(const ValueView& field, const ValueView& source);

}  // namespace headwater::crm
