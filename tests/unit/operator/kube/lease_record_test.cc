#include "operator/kube/lease_record.h"

namespace holdfast::kube {
namespace {

using std::chrono::microseconds;

TEST(LeaseRecord, TimesAlwaysHaveSixDigits) {
  EXPECT_EQ(FormatMicroTime(Timestamp{microseconds{1'700'000'000'000'000}}), "2023-11-14T22:13:20.000000Z");
  EXPECT_EQ(FormatMicroTime(Timestamp{microseconds{1'700'000'000'000'042}}), "2023-11-14T22:13:20.000042Z");
  EXPECT_EQ(FormatMicroTime(Timestamp{microseconds{1'700'000'000'500'000}}), "2023-11-14T22:13:20.500000Z");
  EXPECT_EQ(FormatMicroTime(Timestamp{microseconds{-1}}), "1969-12-31T23:59:59.999999Z");
}

TEST(LeaseRecord, ComesBackAndKeepsWhatIsNotItsOwn) {
  LeaseRecord record;
  record.holder = "pod-a_1";
  record.duration = std::chrono::seconds{15};
  record.acquired = Timestamp{microseconds{1'700'000'000'000'042}};
  record.renewed = Timestamp{microseconds{1'700'000'005'000'000}};
  record.transitions = 3;
  const Json existing = {{"metadata", {{"resourceVersion", "7"}, {"uid", "u"}}}, {"spec", {{"strategy", "x"}}}};
  const Json lease = WithRecord(existing, {"ns", "n"}, record);
  EXPECT_EQ(ResourceVersionOf(lease), "7");
  EXPECT_EQ(lease["spec"]["strategy"], "x");
  EXPECT_EQ(lease["spec"]["leaseDurationSeconds"], 15);
  const LeaseRecord read = RecordOf(lease);
  EXPECT_EQ(read.holder, record.holder);
  EXPECT_EQ(read.duration, record.duration);
  EXPECT_EQ(read.acquired, record.acquired);
  EXPECT_EQ(read.renewed, record.renewed);
  EXPECT_EQ(read.transitions, 3);
  EXPECT_FALSE(read.never_held);
}

TEST(LeaseRecord, OddLeasesReadAsEmpty) {
  for (const Json& odd :
       {Json(), Json::object(), Json{{"spec", 5}},
        Json{{"spec", {{"holderIdentity", 5}, {"leaseDurationSeconds", "x"}, {"renewTime", "soon"}}}}}) {
    const LeaseRecord record = RecordOf(odd);
    EXPECT_EQ(record.holder, "");
    EXPECT_EQ(record.duration.count(), 0);
    EXPECT_FALSE(record.renewed);
    EXPECT_TRUE(record.never_held);
  }
}

}  // namespace
}  // namespace holdfast::kube
