#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace headwater::observe {

using Labels = std::map<std::string, std::string>;

/// A number that only grows. Cheap to copy; lives as long as its Metrics. Thread-safe, as all three
/// are.
class Counter {
 public:
  explicit Counter(prometheus::Counter* impl) : impl_(impl) {}
  void add(double amount = 1);
  double value() const;

 private:
  prometheus::Counter* impl_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* impl) : impl_(impl) {}
  void set(double value);
  double value() const;

 private:
  prometheus::Gauge* impl_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram* impl) : impl_(impl) {}
  void observe(double value);

 private:
  prometheus::Histogram* impl_;
};

/// Every metric of the daemon (names `headwater_<noun>_<unit>_total`). Asking twice for the same
/// name and labels gives the same metric. Count per batch, not per event, on hot paths.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  /// Of seconds: 0.5 ms to 60 s in 14 buckets.
  Histogram seconds(const std::string& name, const std::string& help, const Labels& labels = {});
  /// Of counts: powers of four from 1 to 65,536.
  Histogram sizes(const std::string& name, const std::string& help, const Labels& labels = {});
  /// Prometheus text format 0.0.4.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headwater::observe
