#pragma once

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headwater::redis {

/// What a call of a pipeline was for, so that a failure can say it.
struct Call {
  std::string_view name;  ///< of the command or function; a literal
  std::size_t items = 0;  ///< records, relation changes, feed entries
};

/// Commands for one round trip, written straight into one buffer in Redis' wire format (RESP 2:
/// every argument carries its length, so no value can become a command). Reused: clear() keeps the
/// memory.
class Pipeline {
 public:
  /// Starts a command of `arguments` parts, its name included; arg() must follow that many times.
  void command(Call call, std::size_t arguments) {
    calls_.push_back(call);
    header('*', arguments);
  }
  /// Starts FCALL of a function: `keys` and `args` are what follows.
  void function(Call call, std::size_t keys, std::size_t args) {
    command(call, 3 + keys + args);
    arg("FCALL");
    arg(call.name);
    arg(static_cast<std::uint64_t>(keys));
  }
  void arg(std::string_view text) {
    header('$', text.size());
    bytes_.append(text).append("\r\n");
  }
  void arg(std::uint64_t number) { digits(number); }
  void arg(std::int64_t number) { digits(number); }
  /// An argument in parts, for keys that are put together.
  void joined(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (const auto part : parts) size += part.size();
    header('$', size);
    for (const auto part : parts) bytes_.append(part);
    bytes_.append("\r\n");
  }
  /// A command whose arguments are all at hand.
  void simple(std::initializer_list<std::string_view> arguments) {
    command({*arguments.begin(), 1}, arguments.size());
    for (const auto argument : arguments) arg(argument);
  }
  void clear() {
    bytes_.clear();
    calls_.clear();
  }

  const std::string& bytes() const { return bytes_; }
  std::span<const Call> calls() const { return calls_; }

 private:
  void header(char type, std::size_t count);
  template <typename Number>
  void digits(Number number) {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof text, number).ptr;
    arg(std::string_view(text, static_cast<std::size_t>(end - text)));
  }

  std::string bytes_;
  std::vector<Call> calls_;
};

}  // namespace headwater::redis
