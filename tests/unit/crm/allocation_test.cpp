// The hot path takes no memory once it is warm: global new counts.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/unit/crm/fixture.hpp"

namespace {
std::atomic<std::size_t> allocations{0};

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace headwater::crm {
namespace {

TEST(Allocation, AWarmProjectorTakesNoMemory) {
  Bench account(mapping_of(), "Account");
  account.set("Name", text("Acme Rockets Limited"))
      .set("Website", text("https://www.acme.co.uk/about"));
  account.set("BillingAddress.Street", text("Karl-Marx-Allee 1\n10178 Berlin"));
  account.set("OwnerId", ref("0055f000005mc66AAA"))
      .set("Main_Contact__c", ref("0035f00000ABCDeAAP"));
  account.set("AnnualRevenue", ValueView::decimal(1250000.5)).set("Phone", text(" +49 30 901820 "));
  for (int warm = 0; warm < 3; ++warm) account.project();
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) account.project();
  EXPECT_EQ(allocations, before);
}

TEST(Allocation, NeitherDoesOneThatComputes) {
  Bench item(mapping_of(), "OrderItem");
  item.set("Quantity", ValueView::decimal(3)).set("UnitPrice", ValueView::decimal(0.335));
  for (int warm = 0; warm < 3; ++warm) item.project();
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) item.project();
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace headwater::crm
