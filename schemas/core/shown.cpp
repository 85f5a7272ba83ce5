#include "schemas/core/shown.hpp"

#include "schemas/core/json_text.hpp"

namespace headwater {

std::string shown(std::string_view text, std::size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0x80 ? 1 : utf8_length(text);
    if (out.size() + (size == 0 ? 3 : size) > bytes_max) return out + "…";
    if (size == 0) {
      out += "\xEF\xBF\xBD";
    } else if (size == 1) {
      out += first < 0x20 || first == 0x7f ? ' ' : text.front();
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace headwater
