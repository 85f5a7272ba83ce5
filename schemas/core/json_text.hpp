#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace headwater {

// The bytes of JSON values by RFC 8785: same input, same bytes. On the hot path: append only.

/// Appends the quoted string. Bytes that are not UTF-8 become U+FFFD, so the output always is.
void append_json_string(std::string& out, std::string_view text);
/// Appends the shortest digits as ECMAScript prints them. REQUIRES: value is finite.
void append_json_number(std::string& out, double value);
void append_json_number(std::string& out, std::int64_t value);

/// Room that writing a text of so many bytes may need: six for a control character.
constexpr std::size_t json_string_room(std::size_t size) { return 6 * size + 2; }
inline constexpr std::size_t kJsonNumberRoom = 32;
/// Bytes that the text takes as JSON, its quotes among them: exact, so the text is looked through.
std::size_t json_string_size(std::string_view text);
/// The same into raw memory; return where they ended. REQUIRES: the room named above.
char* write_json_string(char* to, std::string_view text);
char* write_json_number(char* to, double value);
char* write_json_number(char* to, std::int64_t value);

/// Length of the well-formed UTF-8 sequence at the front of `text`, 0 if there is none. REQUIRES:
/// not empty.
std::size_t utf8_length(std::string_view text);
/// Well-formed UTF-8 from beginning to end.
bool is_utf8(std::string_view text);

}  // namespace headwater
