#include "daemon/verify/truth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "connectors/salesforce/describe.hpp"
#include "connectors/salesforce/http.hpp"
#include "connectors/salesforce/org.hpp"
#include "connectors/salesforce/org_facts.hpp"
#include "connectors/salesforce/row.hpp"
#include "schemas/crm/expression.hpp"
#include "schemas/crm/projector.hpp"
#include "schemas/model/render.hpp"

namespace headwater::verify {
namespace {

namespace json = boost::json;
using salesforce::Priority;

/// Tries of one call that failed for a passing reason.
constexpr int kTries = 3;

template <typename Call>
auto tried(const Call& call) -> decltype(call()) {
  auto result = call();
  for (int i = 1; i < kTries && !result && result.error().kind == ErrorKind::Transient; ++i)
    result = call();
  return result;
}

/// Describes and projects records of one org.
class Projection {
 public:
  Projection(const salesforce::OrgConfig& org,
             std::shared_ptr<const crm::Mapping> mapping,
             const Clock& clock)
      : org_(org),
        mapping_(std::move(mapping)),
        counts_(std::make_shared<salesforce::OrgMetrics>()),
        tokens_(std::make_shared<salesforce::TokenSource>(org, counts_, clock)),
        quota_(std::make_shared<salesforce::QuotaGovernor>(
            org.name, org.api_reserve_share, counts_, clock)),
        api_(salesforce::make_org_client(org, tokens_, counts_, quota_)),
        reader_(salesforce::make_org_reader(org, tokens_, counts_, quota_)) {}

  salesforce::OrgApi& api() { return *api_; }
  salesforce::OrgReader& reader() { return *reader_; }
  const std::string& org() const { return org_.name; }

  Result<std::vector<std::string>> fields_of(const std::string& object) {
    auto known = this->object(object);
    if (!known) return std::move(known).error();
    return salesforce::fetch_fields((*known)->description);
  }

  Result<TrueRecord> project(const std::string& object, std::string_view record) {
    auto known = this->object(object);
    if (!known) return std::move(known).error();
    Object& o = **known;
    salesforce::RecordRow row;
    if (auto read = o.decoder->decode(record, row); !read) {
      if (row.id == RecordId()) return std::move(read).error();
      return TrueRecord{row.stamp, {}, o.retired, read.error().message};
    }
    crm::RawSlots slots;
    for (const auto& field : row.fields) {
      const NameId id = o.names.intern(field.path);
      if (slots.size() <= id) slots.resize(id + 1, ValueView{Tag::Absent, 0, 0, {}});
      slots[id] = field.value;
    }
    slots.resize(std::max(slots.size(), o.names.size()), ValueView{Tag::Absent, 0, 0, {}});
    crm::Projection projection;
    o.projector->project(slots, crm::StateFacts{row.id.view(), 0, 0}, projection);
    std::string text;
    append_hash_input(text, projection.bu, projection.image(o.names));
    const auto from = text.find("\"fields\":");
    std::string sections = text.substr(from, text.size() - from - 1);
    if (!projection.violations.empty()) {
      sections += ",\"violations\":";
      append_violations(sections, o.names, projection.violations);
    }
    return TrueRecord{row.stamp, std::move(sections), o.retired, {}};
  }

 private:
  struct Object {
    salesforce::ObjectDescription description;
    NameTable names;
    std::unique_ptr<salesforce::RowDecoder> decoder;
    std::unique_ptr<crm::Projector> projector;
    std::shared_ptr<const Retired> retired;
  };

  Result<void> learn_facts() {
    auto facts = std::make_shared<crm::OrgFacts>();
    facts->name = org_.name;
    facts->currency = org_.currency;
    facts->region = org_.region;
    if (auto learned = tried([&] { return learn_objects(*api_, *facts); }); !learned)
      return learned;
    if (auto types = tried([&] { return learn_record_types(*api_, *facts); }); !types)
      return types.error();
    facts_ = std::move(facts);
    return {};
  }

  Result<Object*> object(const std::string& name) {
    if (!facts_)
      if (auto learned = learn_facts(); !learned) return std::move(learned).error();
    auto& kept = objects_[name];
    if (kept) return kept.get();
    auto described = tried([&] { return api_->describe(name); });
    if (!described) return std::move(described).error();
    kept = std::make_unique<Object>();
    kept->description = std::move(described).value();
    kept->decoder = std::make_unique<salesforce::RowDecoder>(kept->description);
    kept->projector = std::make_unique<crm::Projector>(mapping_, facts_, name, kept->names);
    kept->retired = std::make_shared<const Retired>(
        retired_members(mapping_->of_object(name), kept->description));
    return kept.get();
  }

  const salesforce::OrgConfig org_;
  const std::shared_ptr<const crm::Mapping> mapping_;
  const std::shared_ptr<salesforce::OrgMetrics> counts_;
  const std::shared_ptr<salesforce::TokenSource> tokens_;
  const std::shared_ptr<salesforce::QuotaGovernor> quota_;
  const std::unique_ptr<salesforce::OrgApi> api_;
  const std::unique_ptr<salesforce::OrgReader> reader_;
  std::shared_ptr<crm::OrgFacts> facts_;
  std::map<std::string, std::unique_ptr<Object>> objects_;
};

class RestTruth final : public Truth {
 public:
  RestTruth(const salesforce::OrgConfig& org,
            std::shared_ptr<const crm::Mapping> mapping,
            const Clock& clock)
      : projection_(org, std::move(mapping), clock) {}

  Result<std::vector<std::optional<TrueRecord>>> read(std::span<const std::string> rkeys) override {
    std::vector<std::optional<TrueRecord>> out;
    std::vector<RecordId> ids;
    std::string object;
    for (const auto& rkey : rkeys) {
      const auto key = RecordKey::parse(rkey);
      if (!key) return key.error();
      object = key->object;
      ids.push_back(key->id);
    }
    if (ids.empty()) return out;
    const auto fields = projection_.fields_of(object);
    if (!fields) return fields.error();
    auto rows = tried([&] { return projection_.api().fetch(object, ids, *fields); });
    if (!rows) return std::move(rows).error();
    for (const auto& row : *rows) {
      auto& record = out.emplace_back();
      if (!row.json) continue;
      auto projected = projection_.project(object, *row.json);
      if (!projected) return std::move(projected).error();
      record = std::move(projected).value();
    }
    return out;
  }

  Result<void> each_key(const std::map<std::string, EpochMs>& objects,
                        const KeyVisitor& visit) override {
    for (const auto& [object, since] : objects)
      if (auto done = each_key_of(object, since, visit); !done) return done;
    return {};
  }

 private:
  Result<void> each_key_of(const std::string& object, EpochMs since, const KeyVisitor& visit) {
    salesforce::Selection selection;
    selection.object = object;
    selection.fields = {"Id"};
    if (since != 0) selection.where = "SystemModstamp >= " + format_datetime(since);
    salesforce::CallTerms terms;
    terms.priority = Priority::Audit;
    salesforce::QueryWalk walk(projection_.reader(), selection, terms);
    while (true) {
      auto page = tried([&] { return walk.next(); });
      if (!page) return std::move(page).error();
      if (!*page) return {};
      std::vector<std::string> rkeys;
      for (const auto& record : (*page)->records) {
        boost::system::error_code broken;
        const auto row = json::parse(record, broken);
        const auto id = broken ? RecordId::parse("")
                               : RecordId::parse(std::string_view(row.at("Id").as_string()));
        if (!id) return rejected(fmt::format("query the ids of {}: a row has none", object));
        rkeys.push_back(RecordKey{projection_.org(), object, *id}.str());
      }
      if (auto done = visit(rkeys); !done) return done;
    }
  }

  Projection projection_;
};

class DumpTruth final : public Truth {
 public:
  DumpTruth(const salesforce::OrgConfig& org,
            std::shared_ptr<const crm::Mapping> mapping,
            const Clock& clock,
            std::string place)
      : projection_(org, std::move(mapping), clock), place_(std::move(place)) {}

  Result<std::vector<std::optional<TrueRecord>>> read(std::span<const std::string> rkeys) override {
    // A second question about the same record wants what is true then.
    const bool again = std::any_of(
        rkeys.begin(), rkeys.end(), [&](const auto& rkey) { return !asked_.insert(rkey).second; });
    if (again || lines_.empty())
      if (auto loaded = load(); !loaded) return std::move(loaded).error();
    if (again) asked_.clear();
    std::vector<std::optional<TrueRecord>> out;
    for (const auto& rkey : rkeys) {
      auto& record = out.emplace_back();
      const auto line = lines_.find(rkey);
      if (line == lines_.end()) continue;
      const auto key = RecordKey::parse(rkey);
      if (!key) return key.error();
      auto projected = projection_.project(key->object, line->second);
      if (!projected) return std::move(projected).error();
      record = std::move(projected).value();
    }
    return out;
  }

  Result<void> each_key(const std::map<std::string, EpochMs>&, const KeyVisitor& visit) override {
    if (auto loaded = load(); !loaded) return loaded;
    std::vector<std::string> rkeys;
    for (const auto& [rkey, record] : lines_) rkeys.push_back(rkey);
    return visit(rkeys);
  }

 private:
  Result<std::string> text() const {
    if (place_.starts_with("http://")) {
      const auto path = place_.find('/', 7);
      salesforce::HttpOptions options;
      options.body_bytes_max = 1u << 30;
      options.timeout = std::chrono::minutes{2};
      salesforce::HttpClient client(place_.substr(0, path), options);
      salesforce::HttpRequest request;
      request.path = path == std::string::npos ? "/truth" : place_.substr(path);
      auto reply = client.send(request);
      if (!reply) return std::move(reply).error();
      if (reply->status != 200)
        return transient(fmt::format("read {}: HTTP {}", place_, reply->status));
      return std::move(reply->body);
    }
    std::ifstream file(place_, std::ios::binary);
    if (!file) return blocked(fmt::format("read {}: it cannot be opened", place_));
    return std::string{std::istreambuf_iterator<char>(file), {}};
  }

  Result<void> load() {
    auto body = text();
    if (!body) return std::move(body).error();
    lines_.clear();
    for (std::size_t at = 0; at < body->size();) {
      const auto end = std::min(body->find('\n', at), body->size());
      const std::string line = body->substr(at, end - at);
      at = end + 1;
      // The fields are handed on as they stand, for their numbers' sake.
      const auto fields = line.find("\"fields\":");
      if (fields == std::string::npos) continue;
      boost::system::error_code broken;
      const auto head = json::parse(line.substr(0, fields) + "\"fields\":{}}", broken);
      if (broken) return rejected(fmt::format("read {}: a line is no record", place_));
      lines_[fmt::format("{}:{}:{}",
                         projection_.org(),
                         head.at("object").as_string().c_str(),
                         head.at("id").as_string().c_str())] =
          line.substr(fields + 9, line.size() - fields - 10);
    }
    return {};
  }

  Projection projection_;
  const std::string place_;
  std::map<std::string, std::string> lines_;
  std::set<std::string> asked_;
};

}  // namespace

Retired retired_members(const crm::EntityMapping& entity,
                        const salesforce::ObjectDescription& described) {
  const auto shown = [&](std::string_view path) {
    if (path == "RecordType") path = crm::kRecordTypeId;
    return std::ranges::any_of(described.fields, [path](const salesforce::FieldInfo& field) {
      const std::string_view known = field.path;
      // A compound as a whole is shown if a part of it is.
      return known == path ||
             (known.size() > path.size() && known.starts_with(path) && known[path.size()] == '.');
    });
  };
  Retired out;
  for (const auto& field : entity.fields) {
    for (const auto& path : field.expr->paths()) {
      if (shown(path)) continue;
      out.insert("fields." + field.name);
      out.insert("raw." + path);
      if (field.type == crm::FieldType::Ref)
        out.insert("refs." + crm::Mapping::relation_of(field.name));
    }
  }
  for (const auto& relation : entity.relations) {
    if (!shown(relation.from)) out.insert("refs." + relation.name);
  }
  return out;
}

std::unique_ptr<Truth> make_rest_truth(const salesforce::OrgConfig& org,
                                       std::shared_ptr<const crm::Mapping> mapping,
                                       const Clock& clock) {
  return std::make_unique<RestTruth>(org, std::move(mapping), clock);
}

std::unique_ptr<Truth> make_dump_truth(const salesforce::OrgConfig& org,
                                       std::shared_ptr<const crm::Mapping> mapping,
                                       const Clock& clock,
                                       std::string place) {
  return std::make_unique<DumpTruth>(org, std::move(mapping), clock, std::move(place));
}

}  // namespace headwater::verify
