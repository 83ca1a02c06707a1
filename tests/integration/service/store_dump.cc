#include "tests/integration/service/store_dump.h"

namespace holdfast {
namespace {

void Append(Service& service, const std::string& target, const http::Headers& headers, std::string* dump) {
  const auto answer = service.Send("GET", target, headers);
  if (answer.status != 200 && answer.status != 404) ADD_FAILURE() << target << ": " << answer.body;
  dump->append(target).append(": ").append(answer.status == 200 ? answer.body : "absent").push_back('\n');
}

}  // namespace

std::string DumpOf(Service& service, const std::vector<std::string>& stores) {
  std::string dump;
  for (const std::string name_space : {"default", "team-a"}) {
    dump.append("namespace ").append(name_space).push_back('\n');
    const http::Headers inside{{"Holdfast-Namespace", name_space}};
    Append(service, "/v1/namespaces/" + name_space, {}, &dump);
    for (const std::string& store : stores) {
      const std::string base = "/v1/stores/" + store;
      http::Headers lines = inside;
      lines.emplace("Accept", "application/x-ndjson");
      Append(service, base + "/keys?values=true", lines, &dump);
      for (const char* lock : {"held", "free"}) Append(service, base + "/locks/" + lock, inside, &dump);
      Append(service, base + "/collections?limit=1000", inside, &dump);
      Append(service, base + "/collections/c/documents?limit=1000", inside, &dump);
    }
  }
  return dump;
}

}  // namespace holdfast
