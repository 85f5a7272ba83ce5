#include <fmt/format.h>

#include "connectors/salesforce/org_reader.hpp"

namespace headwater::salesforce {

std::string soql(const Selection& selection) {
  std::string out =
      fmt::format("SELECT {} FROM {}", fmt::join(selection.fields, ","), selection.object);
  if (!selection.where.empty()) out += " WHERE " + selection.where;
  if (!selection.order_by.empty()) out += " ORDER BY " + selection.order_by;
  if (selection.limit > 0) out += fmt::format(" LIMIT {}", selection.limit);
  return out;
}

std::string soql_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\\' || c == '\'') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += c;
    }
  }
  return out += '\'';
}

Result<std::optional<QueryPage>> QueryWalk::next() {
  if (begun_ && at_.empty()) return std::optional<QueryPage>{};
  auto page = begun_ ? reader_.query_next(at_, terms_)
                     : reader_.query(selection_, kQueryRecordsMax, terms_);
  if (!page) return page.error();
  const auto seen = seen_ + page->records.size();
  if (page->next.empty() ? seen != page->total : page->records.empty()) {
    begun_ = false;
    seen_ = 0;
    return transient(
        fmt::format("query {}: {} rows came, {} were announced; beginning the query again",
                    selection_.object,
                    seen,
                    page->total),
        "RESULT_SHORT");
  }
  std::size_t alike = 0;
  for (const auto& record : page->records) alike = alike * 31 + std::hash<std::string>{}(record);
  if (begun_ && alike == last_page_ && !page->records.empty())
    return transient(
        fmt::format("query {}: a page came that came before; reading it again", selection_.object),
        "PAGE_REPEATED");
  begun_ = true;
  last_page_ = alike;
  seen_ = seen;
  at_ = page->next;
  return std::optional<QueryPage>(std::move(page).value());
}

BulkWalk::BulkWalk(OrgReader& reader,
                   BulkJob job,
                   std::vector<std::string> fields,
                   BulkPosition from,
                   std::size_t records_max,
                   CallTerms terms)
    : reader_(reader),
      job_(std::move(job)),
      fields_(std::move(fields)),
      at_(std::move(from)),
      records_max_(records_max),
      terms_(std::move(terms)) {}

Result<std::optional<CsvPage>> BulkWalk::next() {
  if (at_.done) return std::optional<CsvPage>{};
  auto page = reader_.job_page(job_.id, fields_, at_.locator, records_max_, terms_);
  if (!page) return page.error();
  const BulkPosition after{page->next, at_.rows + page->rows.rows(), page->next.empty()};
  if (after.done ? after.rows != job_.records : after.rows > job_.records)
    return transient(
        fmt::format("read Bulk job {} for {}: {} rows came, but the job says {}; reading the page "
                    "again",
                    job_.id,
                    job_.object,
                    after.rows,
                    job_.records),
        "PAGE_SHORT");
  std::size_t alike = 0;
  for (std::size_t i = 0; page->rows.rows() > 0 && i < page->rows.columns(); ++i)
    alike = alike * 31 + std::hash<std::string_view>{}(page->rows.cell(0, i));
  if (alike != 0 && alike == last_page_)
    return transient(
        fmt::format("read Bulk job {} for {}: a page came that came before; reading it "
                    "again",
                    job_.id,
                    job_.object),
        "PAGE_REPEATED");
  last_page_ = alike;
  at_ = after;
  return std::optional<CsvPage>(std::move(page->rows));
}

}  // namespace headwater::salesforce
