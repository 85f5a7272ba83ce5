#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace headwater::kafka {

/// Memory for the values of messages from the hand-over to the delivery report. librdkafka would
/// copy each value into memory of its own, given back and asked for again at every write; here the
/// same chunks serve one write after the other, and two messages may share a value.
///
/// Used by one thread. What is kept grows to what was under way at once, until shrink().
class ValueStore {
 public:
  static constexpr std::size_t kChunkSize = std::size_t{1} << 20;  ///< larger values get their own

  struct Chunk {
    std::unique_ptr<char[]> memory;
    std::size_t size = 0, used = 0;
    std::size_t holders = 0;  ///< messages not yet reported
  };
  struct Value {
    std::string_view text;
    Chunk* chunk = nullptr;
  };

  /// Copies the text. It stays in place until every holder of its chunk has let go: the caller is
  /// the first one.
  Value keep(std::string_view text);
  static void hold(Chunk& chunk) { ++chunk.holders; }
  /// Values of a chunk that nobody holds are gone.
  void let_go(Chunk& chunk);
  /// Gives back the chunks that nobody holds.
  void shrink();

  std::size_t chunks() const { return chunks_.size(); }

 private:
  Chunk& chunk_for(std::size_t size);

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Chunk*> free_;
  Chunk* current_ = nullptr;
};

}  // namespace headwater::kafka
