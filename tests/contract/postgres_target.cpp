#include "connectors/postgres/sink.hpp"
#include "tests/contract/target.hpp"
#include "tests/support/postgres_server.hpp"

namespace headwater::test {
namespace {

class PostgresTarget final : public Target {
 public:
  std::unique_ptr<Sink> sink(const Holder& holder) override {
    postgres::PostgresConfig config;
    config.url = server_.url();
    return std::make_unique<postgres::PostgresSink>(
        config,
        holder,
        "postgres",
        std::vector<postgres::TablePlan>{{"contact", "contact", {}},
                                         postgres::custom_record_plan()});
  }
  std::optional<Row> row(const std::string& id) override {
    const auto rows =
        server_.rows("select rev, name, is_deleted from crm.contact where id = '" + id + "'");
    if (rows.empty()) return std::nullopt;
    return Row{std::stoull(rows[0][0]), rows[0][1], rows[0][2] == "t"};
  }
  std::string state() override {
    return server_.run("select xmin, ctid, * from crm.contact order by id") +
           server_.run("select xmin, * from crm.edge order by src_id, rel");
  }
  std::optional<std::string> events() override {
    std::string out;
    for (const auto& row :
         server_.rows("select payload ->> 'Text__c', rev from crm.platform_event order by rev"))
      out += row[0] + "@" + row[1] + " ";
    return out;
  }
  void kill() override { server_.kill(); }
  void restart() override { server_.start(); }
  void let_claim_lapse() override {
    server_.run("update crm.cursor set updated_at = now() - interval '1 hour'");
  }

 private:
  PostgresServer server_;
};

}  // namespace

std::unique_ptr<Target> make_postgres_target() { return std::make_unique<PostgresTarget>(); }

}  // namespace headwater::test
