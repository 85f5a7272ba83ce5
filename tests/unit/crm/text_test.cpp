#include "schemas/crm/text.hpp"

#include <gtest/gtest.h>

namespace headwater::crm {
namespace {

std::string squeezed(std::string_view text) {
  std::string out;
  append_squeezed(out, text);
  return out;
}

std::string domain(std::string_view address) {
  std::string out;
  append_registrable_domain(out, address);
  return out;
}

TEST(Text, TrimsUnicodeWhiteSpace) {
  EXPECT_EQ(trimmed(" \t\u00a0Ann\u2003\u3000\n"), "Ann");
  EXPECT_EQ(trimmed("\u1680\u2028\u205f\u202f"), "");
  EXPECT_EQ(trimmed("\u00e9t\u00e9"), "\u00e9t\u00e9");
  EXPECT_EQ(trimmed("\u200bx"), "\u200bx") << "a zero width space is no white space";
}

TEST(Text, SqueezesRunsOfWhiteSpaceToOneSpace) {
  EXPECT_EQ(squeezed("  Ann \u00a0 \t Lee\n"), "Ann Lee");
  EXPECT_EQ(squeezed("Ann\u2009Lee"), "Ann Lee");
  EXPECT_EQ(squeezed(" "), "");
}

TEST(Text, FindsTheRegistrableDomainOfAnAddress) {
  EXPECT_EQ(domain("https://www.Acme.co.uk/about?x=1#y"), "acme.co.uk");
  EXPECT_EQ(domain("shop.acme.example:8443"), "acme.example");
  EXPECT_EQ(domain("http://user:secret@crm.acme.com/"), "acme.com");
  EXPECT_EQ(domain(" www.acme.de. "), "acme.de");
  EXPECT_EQ(domain("ftp://M\u00dcLLER.de"), "m\u00fcller.de");
  EXPECT_EQ(domain("a.b.xn--mller-kva.de"), "xn--mller-kva.de");
}

TEST(Text, FindsNoDomainWhereThereIsNone) {
  for (const auto* address : {"",
                              "localhost",
                              "co.uk",
                              "192.168.0.1",
                              "http://[2001:db8::1]/",
                              "..",
                              "acme..com",
                              "two words.com",
                              "https://",
                              "/path/only.html"}) {
    EXPECT_EQ(domain(address), "") << address;
  }
}

TEST(Text, RemembersDomains) {
  DomainMemo memo;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 1000; ++i) {  // more than it has places for
      const std::string name = "acme" + std::to_string(i) + ".example";
      EXPECT_EQ(memo.find("https://www." + name), name);
    }
  }
  EXPECT_EQ(memo.find(""), "");
}

}  // namespace
}  // namespace headwater::crm
