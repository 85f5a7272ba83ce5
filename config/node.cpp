#include "config/node.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "config/text_file.hpp"
#include "schemas/core/edit_distance.hpp"

namespace headwater::config {
namespace {

/// The known word nearest to what was written, empty if none is near.
std::string nearest(const std::string& written, const std::set<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, written.size() / 3) + 1;
  for (const auto& word : known) {
    const std::size_t d = edit_distance(written, word);
    if (d < best_distance) {
      best_distance = d;
      best = word;
    }
  }
  return best;
}

struct UnitOf {
  std::string_view suffix;
  std::uint64_t factor;
};
constexpr UnitOf kDurations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr UnitOf kSizes[] = {{"", 1},
                             {"B", 1},
                             {"KiB", 1ULL << 10},
                             {"MiB", 1ULL << 20},
                             {"GiB", 1ULL << 30},
                             {"TiB", 1ULL << 40}};

template <std::size_t N>
std::optional<std::uint64_t> with_unit(std::string_view text, const UnitOf (&units)[N]) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  for (const UnitOf& unit : units) {
    if (suffix == unit.suffix && number <= UINT64_MAX / unit.factor) return number * unit.factor;
  }
  return std::nullopt;
}

/// Takes `${NAME}` from the environment. Nothing and the missing name in `missing` if it is not
/// set.
std::optional<std::string> expand(const std::string& text, std::string& missing) {
  std::string out;
  for (std::size_t at = 0;;) {
    const auto open = text.find("${", at);
    if (open == std::string::npos) return out + text.substr(at);
    const auto close = text.find('}', open);
    if (close == std::string::npos) return out + text.substr(at);
    const std::string name = text.substr(open + 2, close - open - 2);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      missing = name;
      return std::nullopt;
    }
    out.append(text, at, open - at).append(value);
    at = close + 1;
  }
}

}  // namespace

std::string Problem::str() const {
  std::string out = file;
  if (line > 0) out += fmt::format(":{}:{}", line, column);
  if (!key.empty()) out += ": " + key;
  return out + ": " + what;
}

std::string Problems::str() const {
  auto sorted = list_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  std::string out;
  std::set<std::string> told;  // a key may be read twice: as what it says, and as a path to open
  for (const auto& problem : sorted) {
    if (const auto [line, first] = told.insert(problem.str()); first) out += *line + "\n";
  }
  return out;
}

struct Node::Impl {
  std::string file;
  YAML::Node yaml;
  std::string path;
  Problems* problems = nullptr;
  std::set<std::string> asked;
  bool free_form = false;  // keys() was called: the caller reads whatever is there
  std::vector<std::shared_ptr<Impl>> children;

  std::string path_to(std::string_view key) const {
    if (key.empty()) return path;
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }
  void problem_at(const YAML::Node& at, const std::string& key, std::string what) const {
    const YAML::Mark mark = at.IsDefined() ? at.Mark() : YAML::Mark::null_mark();
    problems->add({file,
                   mark.is_null() ? 0 : mark.line + 1,
                   mark.is_null() ? 0 : mark.column + 1,
                   key,
                   std::move(what)});
  }
  YAML::Node find(std::string_view key) const {
    if (!yaml.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    for (const auto& pair : yaml) {
      if (pair.first.IsScalar() && pair.first.Scalar() == key) return pair.second;
    }
    return YAML::Node(YAML::NodeType::Undefined);
  }
  std::shared_ptr<Impl> make_child(const YAML::Node& node, std::string child_path) {
    auto child = std::make_shared<Impl>();
    child->file = file;
    child->yaml.reset(node);
    child->path = std::move(child_path);
    child->problems = problems;
    children.push_back(child);
    return child;
  }
  /// The scalar under key with its environment references filled in. Nothing if absent, null or not
  /// a scalar.
  std::optional<std::string> scalar_of(std::string_view key) {
    asked.insert(std::string(key));
    const YAML::Node node = find(key);
    if (!node.IsDefined() || node.IsNull()) return std::nullopt;
    if (!node.IsScalar()) {
      problem_at(node, path_to(key), "must be a single value");
      return std::nullopt;
    }
    return expanded(node, key);
  }
  /// A scalar's text with its environment references filled in.
  std::optional<std::string> expanded(const YAML::Node& node, std::string_view key) const {
    std::string missing;
    auto text = expand(node.Scalar(), missing);
    if (!text)
      problem_at(node, path_to(key), fmt::format("environment variable {} is not set", missing));
    return text;
  }
  void finish() const {
    if (yaml.IsMap() && !free_form) {
      for (const auto& pair : yaml) {
        const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : std::string();
        if (asked.count(key) != 0) continue;
        const std::string near = nearest(key, asked);
        problem_at(pair.first,
                   path_to(key),
                   near.empty() ? "unknown key" : "unknown key, did you mean " + near + "?");
      }
    }
    if (yaml.IsMap()) {
      std::set<std::string> seen;
      for (const auto& pair : yaml) {
        if (pair.first.IsScalar() && !seen.insert(pair.first.Scalar()).second) {
          problem_at(pair.first, path_to(pair.first.Scalar()), "given twice");
        }
      }
    }
    for (const auto& child : children) child->finish();
  }
  void collect_unanswered(std::vector<std::string>& out) const {
    for (const auto& key : asked) {
      if (!find(key).IsDefined()) out.push_back(path_to(key));
    }
    for (const auto& child : children) child->collect_unanswered(out);
  }
};

Node Node::parse(std::string file, const std::string& text, Problems& problems) {
  auto impl = std::make_shared<Impl>();
  impl->file = std::move(file);
  impl->problems = &problems;
  impl->yaml = YAML::Node(YAML::NodeType::Map);
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsMap()) {
      impl->yaml.reset(root);
    } else if (!root.IsNull()) {
      problems.add({impl->file, 1, 1, "", "must be a map of keys"});
    }
  } catch (const YAML::Exception& e) {
    problems.add({impl->file,
                  e.mark.is_null() ? 1 : e.mark.line + 1,
                  e.mark.is_null() ? 1 : e.mark.column + 1,
                  "",
                  "not YAML: " + e.msg});
  }
  return Node(std::move(impl));
}

std::optional<std::string> read_text_file(const std::string& path, Problems& problems) {
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) {
    problems.add({path, 0, 0, "", "is a directory: give the file in it"});
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in) {
    problems.add(
        {path, 0, 0, "", "cannot be read: check that it exists and may be read by this user"});
    return std::nullopt;
  }
  return text.str();
}

Node Node::load(const std::string& path, Problems& problems) {
  return parse(path, read_text_file(path, problems).value_or(""), problems);
}

bool Node::has(std::string_view key) const {
  impl_->asked.insert(std::string(key));
  const YAML::Node node = impl_->find(key);
  return node.IsDefined() && !node.IsNull();
}
bool Node::is_null() const { return !impl_->yaml.IsDefined() || impl_->yaml.IsNull(); }
bool Node::is_map() const { return impl_->yaml.IsMap(); }
bool Node::is_list() const { return impl_->yaml.IsSequence(); }

std::string Node::text(std::string_view key) {
  const std::size_t before = impl_->problems->list().size();
  auto value = impl_->scalar_of(key);
  if (value && value->empty()) value.reset();
  if (!value && impl_->problems->list().size() == before) problem(key, "is required");
  return value.value_or("");
}

std::string Node::text(std::string_view key, std::string_view fallback) {
  return impl_->scalar_of(key).value_or(std::string(fallback));
}

bool Node::boolean(std::string_view key, bool fallback) {
  const auto value = impl_->scalar_of(key);
  if (!value) return fallback;
  if (*value == "true") return true;
  if (*value == "false") return false;
  problem(key, fmt::format("must be true or false, got {}", *value));
  return fallback;
}

std::int64_t Node::integer(std::string_view key,
                           std::int64_t fallback,
                           std::int64_t least,
                           std::int64_t most) {
  const auto value = impl_->scalar_of(key);
  if (!value) return fallback;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc{} || end != value->data() + value->size()) {
    problem(key, fmt::format("must be a whole number, got {}", *value));
    return fallback;
  }
  if (number < least || number > most) {
    problem(key, fmt::format("must be between {} and {}, got {}", least, most, number));
    return fallback;
  }
  return number;
}

Millis Node::duration(std::string_view key, Millis fallback) {
  const auto value = impl_->scalar_of(key);
  if (!value) return fallback;
  const auto ms = with_unit(*value, kDurations);
  if (!ms || *ms > static_cast<std::uint64_t>(INT64_MAX)) {
    problem(
        key,
        fmt::format("must be a duration with its unit (250ms, 5s, 10m, 1h, 3d), got {}", *value));
    return fallback;
  }
  return Millis(static_cast<std::int64_t>(*ms));
}

std::uint64_t Node::bytes(std::string_view key, std::uint64_t fallback) {
  const auto value = impl_->scalar_of(key);
  if (!value) return fallback;
  const auto size = with_unit(*value, kSizes);
  if (!size) problem(key, fmt::format("must be a size (512, 64KiB, 16GiB), got {}", *value));
  return size.value_or(fallback);
}

std::string Node::one_of(std::string_view key,
                         std::string_view fallback,
                         const std::vector<std::string>& allowed) {
  const auto value = impl_->scalar_of(key);
  if (!value) return std::string(fallback);
  if (std::find(allowed.begin(), allowed.end(), *value) == allowed.end()) {
    problem(key, fmt::format("must be one of {}, got {}", fmt::join(allowed, ", "), *value));
    return std::string(fallback);
  }
  return *value;
}

Secret Node::secret_file(std::string_view key) {
  const auto path = impl_->scalar_of(key);
  if (!path || path->empty()) return {};
  auto secret = read_secret(*path);
  if (!secret) {
    problem(key, secret.error().message);
    return {};
  }
  return std::move(secret).value();
}

std::string Node::path_of(std::string_view key) const { return impl_->scalar_of(key).value_or(""); }

Node Node::child(std::string_view key) {
  impl_->asked.insert(std::string(key));
  const YAML::Node node = impl_->find(key);
  if (node.IsDefined() && !node.IsNull() && !node.IsMap()) {
    impl_->problem_at(node, impl_->path_to(key), "must be a map of keys");
  }
  const bool usable = node.IsDefined() && node.IsMap();
  return Node(
      impl_->make_child(usable ? node : YAML::Node(YAML::NodeType::Map), impl_->path_to(key)));
}

std::vector<Node> Node::items(std::string_view key) {
  impl_->asked.insert(std::string(key));
  const YAML::Node node = impl_->find(key);
  std::vector<Node> out;
  if (!node.IsDefined() || node.IsNull()) return out;
  if (!node.IsSequence()) {
    impl_->problem_at(node, impl_->path_to(key), "must be a list");
    return out;
  }
  for (std::size_t i = 0; i < node.size(); ++i) {
    out.push_back(Node(impl_->make_child(node[i], fmt::format("{}[{}]", impl_->path_to(key), i))));
  }
  return out;
}

std::vector<std::string> Node::texts(std::string_view key) {
  impl_->asked.insert(std::string(key));
  const YAML::Node node = impl_->find(key);
  std::vector<std::string> out;
  if (!node.IsDefined() || node.IsNull()) return out;
  const auto add = [&](const YAML::Node& item) {
    if (!item.IsScalar()) {
      impl_->problem_at(item, impl_->path_to(key), "must hold single values only");
    } else if (auto text = impl_->expanded(item, key)) {
      out.push_back(std::move(*text));
    }
  };
  if (node.IsScalar()) {
    add(node);
  } else if (node.IsSequence()) {
    for (const auto& item : node) add(item);
  } else {
    impl_->problem_at(node, impl_->path_to(key), "must be a list");
  }
  return out;
}

std::vector<std::string> Node::keys() const {
  impl_->free_form = true;
  std::vector<std::string> out;
  if (!impl_->yaml.IsMap()) return out;
  for (const auto& pair : impl_->yaml) {
    if (pair.first.IsScalar()) out.push_back(pair.first.Scalar());
  }
  return out;
}

std::string Node::scalar() const {
  return impl_->yaml.IsScalar() ? impl_->yaml.Scalar() : std::string();
}

void Node::problem(std::string_view key, std::string what) const {
  const YAML::Node node = key.empty() ? YAML::Node(YAML::NodeType::Undefined) : impl_->find(key);
  impl_->problem_at(node.IsDefined() ? node : impl_->yaml, impl_->path_to(key), std::move(what));
}

void Node::finish() const { impl_->finish(); }

std::vector<std::string> Node::unanswered() const {
  std::vector<std::string> out;
  impl_->collect_unanswered(out);
  return out;
}

const std::string& Node::key_path() const { return impl_->path; }

Result<Secret> read_secret(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0)
    return blocked(fmt::format("secret file {} does not exist or may not be read", path));
  if (S_ISDIR(info.st_mode))
    return blocked(fmt::format("secret file {} is a directory: give the file in it", path));
  // systemd gives credentials to the service alone, by an ACL that may show as a group bit.
  const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
  const bool credential = credentials != nullptr && *credentials != 0 &&
                          path.rfind(std::string(credentials) + "/", 0) == 0;
  if (!credential && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return blocked(fmt::format("secret file {} is open to group or others: chmod 600 it", path));
  }
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in) return blocked(fmt::format("secret file {} cannot be read by this user", path));
  std::string content = text.str();
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) content.pop_back();
  if (content.empty()) return blocked(fmt::format("secret file {} is empty", path));
  return Secret(std::move(content));
}

}  // namespace headwater::config
