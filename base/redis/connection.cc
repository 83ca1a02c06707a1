#include "base/redis/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <numeric>
#include <optional>

#include "base/redis/reply_reader.h"
#include "base/redis/stream.h"

namespace holdfast::redis {
namespace {

// Small while replies are small (ReplyReader::Feed), large while one large reply comes.
constexpr std::size_t kSmallRead = std::size_t{16} << 10;
constexpr std::size_t kLargeRead = std::size_t{256} << 10;
constexpr std::string_view kAskingCommand = "*1\r\n$6\r\nASKING\r\n";

Result<std::string> PasswordOf(const Options& options) {
  if (options.password_file.empty()) return options.target.password;
  std::ifstream file(options.password_file);
  std::string line;
  if (!std::getline(file, line) || line.empty()) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("password_file {} cannot be read or begins with an empty line", options.password_file));
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// What became of a command that has no reply.
Error LossOf(Effect effect, bool sent, const Error& cause) {
  if (!sent) return {cause.code(), fmt::format("{}: the command was not sent", cause.message())};
  if (effect == Effect::kRead) return cause;
  return {ErrorCode::kOutcomeUnknown,
          fmt::format("{} while the answer to a write was awaited: it may have taken effect", cause.message())};
}

}  // namespace

Connection::Connection(Address address, const Options& options, Expect expect)
    : address_(std::move(address)),
      expect_(expect),
      options_(options),
      patience_(options.connect_timeout),
      reader_(std::make_unique<ReplyReader>(options.max_reply_bytes, options.max_reply_elements)),
      input_(kSmallRead) {}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Open(const Address& address, const Options& options, Expect expect,
                                                     Deadline deadline, const Interrupt* interrupt) {
  std::unique_ptr<Connection> connection(new Connection(address, options, expect));
  const Deadline patience = deadline.Sooner(Deadline::After(options.connect_timeout));
  Result<std::unique_ptr<Stream>> stream =
      Stream::Connect(address, options.target.tls ? &options.tls : nullptr, patience, interrupt);
  Status prepared;
  if (stream.ok()) {
    connection->stream_ = std::move(*stream);
    prepared = connection->Prepare(patience);
  } else {
    prepared = std::move(stream).error();
  }
  if (prepared.ok()) {
    connection->patience_ = options.read_timeout;
    return connection;
  }
  const Error& failure = prepared.error();
  const std::string doing = fmt::format("cannot connect to Redis at {}", address.ToString());
  if (failure.code() == ErrorCode::kDeadlineExceeded && !deadline.Expired()) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{}: no answer within connect_timeout of {} ms", doing, options.connect_timeout.count()));
  }
  // Whatever is wrong with settings, files and rights there: for a caller it is a server that cannot be reached.
  const bool callers = failure.code() == ErrorCode::kDeadlineExceeded || failure.code() == ErrorCode::kCancelled;
  return Error(callers ? failure.code() : ErrorCode::kUnavailable, fmt::format("{}: {}", doing, failure.message()));
}

Status Connection::Prepare(Deadline deadline) {
  Pipeline login;
  HOLDFAST_ASSIGN_OR_RETURN(const std::string password, PasswordOf(options_));
  const std::string& user = options_.target.user;
  if (!user.empty()) {
    login.Add(Effect::kRead, {"AUTH", user, password});
  } else if (!password.empty()) {
    login.Add(Effect::kRead, {"AUTH", password});
  }
  const std::string database = std::to_string(options_.target.database);
  if (options_.target.database != 0) login.Add(Effect::kRead, {"SELECT", database});
  // Whether it serves: not while it loads its data, nor to strangers.
  login.Add(Effect::kRead, {"PING"});
  Replies replies = Run(login, deadline);
  for (Result<Value>& reply : replies) {
    // A user without the right to PING has been answered, too.
    const bool last = &reply == &replies.back();
    if (!reply.ok() && !(last && reply.error().code() == ErrorCode::kFailedPrecondition)) {
      return std::move(reply).error();
    }
  }
  return expect_ == Expect::kNothing ? Status() : CheckRole(deadline);
}

Status Connection::CheckRole(Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<Value> role, AsArray(Run(Effect::kRead, {"ROLE"}, deadline), "ROLE"));
  const std::string said = !role.empty() && role[0].IsString() ? role[0].text() : std::string("nothing known");
  if (expect_ == Expect::kMaster) {
    if (said == "master") return {};
    usable_ = false;
    return Error(ErrorCode::kUnavailable, fmt::format("{} is not the master: it calls itself {}", address_.ToString(),
                                                      said == "slave" ? "replica" : "something else"));
  }
  constexpr std::size_t kLinkState = 3;
  const bool linked = role.size() > kLinkState && role[kLinkState].IsString() && role[kLinkState].text() == "connected";
  if (said == "slave" && linked) return {};
  usable_ = false;
  return Error(ErrorCode::kUnavailable,
               fmt::format("{} is not a replica in touch with its master", address_.ToString()));
}

Status Connection::Write(std::string_view bytes, Deadline deadline, std::size_t* sent) {
  while (*sent < bytes.size()) {
    const Deadline patience = deadline.Sooner(Deadline::After(options_.write_timeout));
    const Result<std::size_t> written = stream_->Write(bytes.substr(*sent), patience);
    if (!written.ok()) {
      usable_ = false;
      if (written.error().code() != ErrorCode::kDeadlineExceeded || deadline.Expired()) return written.error();
      return Error(ErrorCode::kUnavailable, fmt::format("{} took nothing within write_timeout of {} ms",
                                                        address_.ToString(), options_.write_timeout.count()));
    }
    *sent += *written;
  }
  return {};
}

Result<Value> Connection::ReadOne(Deadline deadline, std::chrono::milliseconds patience) {
  while (true) {
    Result<std::optional<Value>> next = reader_->Next();
    if (!next.ok()) {
      usable_ = false;
      return Error(ErrorCode::kUnavailable, fmt::format("{}: {}", address_.ToString(), next.error().message()));
    }
    if (next->has_value()) {
      Note(**next);
      return std::move(**next);
    }
    const Deadline until = patience.count() > 0 ? deadline.Sooner(Deadline::After(patience)) : deadline;
    const Result<std::size_t> read = stream_->Read(input_.data(), input_.size(), until);
    if (!read.ok()) {
      const bool late = read.error().code() == ErrorCode::kDeadlineExceeded;
      // Without patience the caller will come again for what is late.
      if (!late || patience.count() > 0) usable_ = false;
      if (!late || deadline.Expired()) return read.error();
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} said nothing within read_timeout of {} ms", address_.ToString(), patience.count()));
    }
    if (const Status fed = reader_->Feed(std::string_view(input_.data(), *read)); !fed.ok()) {
      usable_ = false;
      return fed.error();
    }
    // A full buffer that ends within a reply: a large one is coming.
    input_.resize(*read == input_.size() ? std::min(2 * input_.size(), kLargeRead) : kSmallRead);
  }
}

void Connection::Note(const Value& reply) {
  if (!reply.IsError()) return;
  const std::string_view word = ErrorWord(reply.text());
  if (word == "READONLY" || word == "MASTERDOWN" || word == "UNBLOCKED") refused_writes_ = true;
  if (refused_writes_ || word == "NOAUTH") usable_ = false;
}

Connection::Exchange Connection::SendChosen(const Pipeline& pipeline, std::vector<std::size_t> chosen, bool asking,
                                            Deadline deadline) {
  Exchange exchange;
  exchange.pipeline_ = &pipeline;
  exchange.chosen_ = std::move(chosen);
  exchange.asking_ = asking;
  exchange.refused_.resize(pipeline.scripts_.size());
  // Scripts go ahead of their first call over this connection.
  Pipeline loads;
  for (std::size_t i = 0; i < pipeline.scripts_.size(); ++i) {
    const Script& script = pipeline.scripts_[i];
    if (loaded_.find(script.sha1()) != loaded_.end()) continue;
    loads.Add(Effect::kRead, {"SCRIPT", "LOAD", script.text()});
    exchange.loading_.push_back(i);
  }
  const bool all = !asking && exchange.chosen_.size() == pipeline.size();
  std::string some;
  exchange.ends_.reserve(exchange.chosen_.size());
  for (const std::size_t i : exchange.chosen_) {
    const std::size_t begin = i == 0 ? 0 : pipeline.commands_[i - 1].end;
    if (asking) some.append(kAskingCommand);
    if (!all) some.append(pipeline.wire_, begin, pipeline.commands_[i].end - begin);
    exchange.ends_.push_back(all ? pipeline.commands_[i].end : some.size());
  }
  std::size_t loads_sent = 0;
  exchange.status_ = Write(loads.wire_, deadline, &loads_sent);
  if (exchange.status_.ok()) {
    exchange.status_ =
        Write(all ? std::string_view(pipeline.wire_) : std::string_view(some), deadline, &exchange.sent_);
  }
  return exchange;
}

void Connection::ReadLoads(Exchange& exchange, Deadline deadline) {
  for (const std::size_t i : exchange.loading_) {
    if (!exchange.status_.ok()) return;
    const Script& script = exchange.pipeline_->scripts_[i];
    const Result<Value> reply = ReadOne(deadline, patience_);
    if (!reply.ok()) {
      exchange.status_ = reply.error();
    } else if (reply->IsError()) {
      exchange.refused_[i] = ToError(reply->text(), in_cluster()).WithContext("loading the script " + script.name());
    } else {
      loaded_.insert(script.sha1());
    }
  }
}

Replies Connection::ReadReplies(Exchange& exchange, Deadline deadline, std::vector<Refusal>* refusals,
                                std::vector<std::size_t>* unknown_scripts) {
  Replies replies;
  replies.reserve(exchange.chosen_.size());
  ReadLoads(exchange, deadline);
  Status& status = exchange.status_;
  for (std::size_t i = 0; i < exchange.chosen_.size(); ++i) {
    const Pipeline::Command& command = exchange.pipeline_->commands_[exchange.chosen_[i]];
    // What ASKING is answered with says nothing: the command behind it is refused if it was.
    if (exchange.asking_ && status.ok()) {
      if (const Result<Value> asked = ReadOne(deadline, patience_); !asked.ok()) status = asked.error();
    }
    Result<Value> reply = status.ok() ? ReadOne(deadline, patience_) : Result<Value>(status.error());
    if (refusals != nullptr) refusals->emplace_back();
    if (!reply.ok()) {
      if (status.ok()) status = reply.error();
      replies.emplace_back(LossOf(command.effect, exchange.sent_ >= exchange.ends_[i], status.error()));
      continue;
    }
    if (!reply->IsError()) {
      replies.push_back(std::move(reply));
      continue;
    }
    if (refusals != nullptr) refusals->back() = RefusalOf(reply->text(), address_);
    const bool unknown = command.script >= 0 && ErrorWord(reply->text()) == "NOSCRIPT";
    const std::optional<Error> no_load =
        unknown ? exchange.refused_[static_cast<std::size_t>(command.script)] : std::nullopt;
    if (unknown && !no_load) unknown_scripts->push_back(i);
    replies.emplace_back(no_load ? *no_load : ToError(reply->text(), in_cluster()));
  }
  return replies;
}

Connection::Exchange Connection::Begin(const Pipeline& pipeline, std::vector<std::size_t> chosen, bool asking,
                                       Deadline deadline) {
  std::optional<Error> refusal;
  if (!usable_) refusal = Error(ErrorCode::kUnavailable, "the connection was lost before");
  if (usable_ && !reader_->empty()) {
    // The next reply would be taken for another's.
    usable_ = false;
    refusal = Error(ErrorCode::kUnavailable, fmt::format("{} sent what nobody asked for", address_.ToString()));
  }
  if (deadline.Expired()) refusal = Error(ErrorCode::kDeadlineExceeded, "the deadline passed before it was sent");
  if (!refusal) return SendChosen(pipeline, std::move(chosen), asking, deadline);
  Exchange exchange;
  exchange.pipeline_ = &pipeline;
  exchange.chosen_ = std::move(chosen);
  exchange.unsent_ = std::move(refusal);
  return exchange;
}

Replies Connection::Finish(Exchange exchange, Deadline deadline, std::vector<Refusal>* refusals) {
  Replies replies;
  if (exchange.unsent_) {
    replies.assign(exchange.chosen_.size(), *exchange.unsent_);
    if (refusals != nullptr) refusals->assign(exchange.chosen_.size(), Refusal{});
    return replies;
  }
  std::vector<std::size_t> unknown;  // places among the chosen
  replies = ReadReplies(exchange, deadline, refusals, &unknown);
  const Pipeline& pipeline = *exchange.pipeline_;
  // Twice: once because the server has forgotten them, and once because it may have done so again in between.
  constexpr int kReloads = 2;
  for (int reload = 0; reload < kReloads && !unknown.empty() && usable_; ++reload) {
    std::vector<std::size_t> commands;
    for (const std::size_t i : unknown) {
      commands.push_back(exchange.chosen_[i]);
      loaded_.erase(pipeline.scripts_[static_cast<std::size_t>(pipeline.commands_[commands.back()].script)].sha1());
    }
    std::vector<std::size_t> still_unknown;
    std::vector<Refusal> refused_again;
    Exchange again = SendChosen(pipeline, commands, exchange.asking_, deadline);
    Replies answers = ReadReplies(again, deadline, refusals != nullptr ? &refused_again : nullptr, &still_unknown);
    for (std::size_t i = 0; i < unknown.size(); ++i) {
      replies[unknown[i]] = std::move(answers[i]);
      if (refusals != nullptr) (*refusals)[unknown[i]] = refused_again[i];
    }
    for (std::size_t& i : still_unknown) i = unknown[i];
    unknown = std::move(still_unknown);
  }
  return replies;
}

Replies Connection::Run(const Pipeline& pipeline, Deadline deadline) {
  std::vector<std::size_t> everything(pipeline.size());
  std::iota(everything.begin(), everything.end(), std::size_t{0});
  return Finish(Begin(pipeline, std::move(everything), false, deadline), deadline);
}

Result<Value> Connection::Run(Effect effect, std::initializer_list<std::string_view> words, Deadline deadline) {
  Pipeline pipeline;
  pipeline.Add(effect, words);
  return std::move(Run(pipeline, deadline).front());
}

Status Connection::Send(const Pipeline& pipeline, Deadline deadline) {
  if (!usable_) return Error(ErrorCode::kUnavailable, "the connection was lost before");
  std::size_t sent = 0;
  return Write(pipeline.wire_, deadline, &sent);
}

Result<Value> Connection::Receive(Deadline deadline) {
  if (!usable_) return Error(ErrorCode::kUnavailable, "the connection was lost before");
  HOLDFAST_ASSIGN_OR_RETURN(Value reply, ReadOne(deadline, std::chrono::milliseconds::zero()));
  if (reply.IsError()) return ToError(reply.text(), in_cluster());
  return reply;
}

bool Connection::usable() const {
  return usable_ && (!generation_ || generation_->load(std::memory_order_acquire) == opened_in_);
}

void Connection::BelongTo(std::shared_ptr<const std::atomic<std::uint64_t>> generation, std::uint64_t opened_in) {
  generation_ = std::move(generation);
  opened_in_ = opened_in;
}

bool Connection::HungUp() const {
  return !usable_ || !reader_->empty() || stream_->HungUp();
}

void Connection::ForgetInterrupt() {
  stream_->ForgetInterrupt();
}

bool Connection::Answers(Deadline deadline) {
  if (expect_ != Expect::kNothing) return CheckRole(deadline).ok();
  const Result<Value> reply = Run(Effect::kRead, {"PING"}, deadline);
  return usable_ && (reply.ok() || reply.error().code() == ErrorCode::kFailedPrecondition);
}

}  // namespace holdfast::redis
