#include "service/storage/listener_fanout.h"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

class Recorder : public ChangeListener {
 public:
  Recorder(std::string name, std::vector<std::string>* heard) : name_(std::move(name)), heard_(heard) {}
  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause cause) noexcept override {
    std::string line = name_;
    line.append(" ").append(key).append(before ? " before" : " nothing").append(after ? " after" : " nothing");
    if (cause == ChangeCause::kExpired) line.append(" expired");
    heard_->push_back(std::move(line));
  }

 private:
  const std::string name_;
  std::vector<std::string>* const heard_;
};

TEST(ListenerFanoutTest, TellsEveryListenerInTheirOrder) {
  std::vector<std::string> heard;
  ListenerFanout fanout({std::make_shared<Recorder>("first", &heard), std::make_shared<Recorder>("second", &heard)});
  const auto entry = std::make_shared<const Entry>();
  fanout.OnChange("a", nullptr, entry, ChangeCause::kOperation);
  fanout.OnChange("a", entry, nullptr, ChangeCause::kExpired);
  EXPECT_EQ(heard, (std::vector<std::string>{"first a nothing after", "second a nothing after",
                                             "first a before nothing expired", "second a before nothing expired"}));
}

TEST(ListenerFanoutTest, WithoutListenersNothingHappens) {
  ListenerFanout({}).OnChange("a", nullptr, std::make_shared<const Entry>(), ChangeCause::kOperation);
}

}  // namespace
}  // namespace holdfast::storage
