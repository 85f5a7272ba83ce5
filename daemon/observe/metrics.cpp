#include "daemon/observe/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace headwater::observe {

void Counter::add(double amount) { impl_->Increment(amount); }
double Counter::value() const { return impl_->Value(); }
void Gauge::set(double value) { impl_->Set(value); }
double Gauge::value() const { return impl_->Value(); }
void Histogram::observe(double value) { impl_->Observe(value); }

struct Metrics::Impl {
  prometheus::Registry registry;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return Counter(
      &prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(
      &prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Histogram Metrics::seconds(const std::string& name, const std::string& help, const Labels& labels) {
  static const prometheus::Histogram::BucketBoundaries kSeconds{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60};
  return Histogram(&prometheus::BuildHistogram()
                        .Name(name)
                        .Help(help)
                        .Register(impl_->registry)
                        .Add(labels, kSeconds));
}

Histogram Metrics::sizes(const std::string& name, const std::string& help, const Labels& labels) {
  static const prometheus::Histogram::BucketBoundaries kSizes{
      1, 4, 16, 64, 256, 1024, 4096, 16384, 65536};
  return Histogram(&prometheus::BuildHistogram()
                        .Name(name)
                        .Help(help)
                        .Register(impl_->registry)
                        .Add(labels, kSizes));
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace headwater::observe
