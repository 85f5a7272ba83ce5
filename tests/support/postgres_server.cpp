#include "tests/support/postgres_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

extern char** environ;

namespace headwater::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "postgres_server: %s\n", what.c_str());
  std::abort();
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, generic, size) != 0 || ::getsockname(fd, generic, &size) != 0)
    give_up("no free port");
  ::close(fd);
  return ntohs(address.sin_port);
}

/// Starts a program; its output goes to a file.
pid_t spawn(const Words& words, const fs::path& log) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) give_up(words.front() + " cannot be started; is it installed?");
  return pid;
}

void run_to_end(const Words& words, const fs::path& log) {
  int status = 0;
  ::waitpid(spawn(words, log), &status, 0);
  if (status == 0) return;
  std::stringstream text;
  text << std::ifstream(log).rdbuf();
  give_up(words.front() + " failed: " + text.str());
}

/// The server's programs stand aside from PATH on Debian.
std::string program(const std::string& name) {
  std::string folder;
  if (FILE* pipe = ::popen("pg_config --bindir", "r"); pipe != nullptr) {
    for (int c = std::fgetc(pipe); c != EOF && c != '\n'; c = std::fgetc(pipe))
      folder.push_back(static_cast<char>(c));
    ::pclose(pipe);
  }
  return folder.empty() ? name : folder + '/' + name;
}

/// Words in front of a server program: it refuses root, and must not outlive us.
Words as_server_user() {
  if (::geteuid() != 0) return {"setpriv", "--pdeathsig", "TERM"};
  return {
      "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "TERM"};
}

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

fs::path make_folder() {
  std::string pattern = fs::temp_directory_path() / "headwater-postgres-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) give_up("no temporary folder");
  if (::geteuid() == 0) run_to_end({"chown", "postgres:", pattern}, "/dev/null");
  return pattern;
}

/// A fresh cluster takes half a second to make: once per build folder, under a lock, then copied.
fs::path cluster_template() {
  const fs::path made = fs::path(HEADWATER_BINARY_DIR) / "postgres-template";
  const int lock = ::open((made.string() + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (lock < 0 || ::flock(lock, LOCK_EX) != 0) give_up("no lock on " + made.string());
  if (!fs::exists(made)) {
    const fs::path folder = make_folder();
    const fs::path log = folder / "log";
    run_to_end(as_server_user() + Words{program("initdb"),
                                        "-D",
                                        folder / "data",
                                        "-U",
                                        "postgres",
                                        "-A",
                                        "trust",
                                        "-E",
                                        "UTF8",
                                        "--locale=C",
                                        "--wal-segsize=1",
                                        "--no-sync"},
               log);
    const std::string part = made.string() + ".part";
    run_to_end({"rm", "-rf", part}, log);
    run_to_end({"cp", "-a", folder / "data", part}, log);
    fs::rename(part, made);
    fs::remove_all(folder);
  }
  ::close(lock);
  return made;
}

}  // namespace

PostgresServer::PostgresServer() : folder_(make_folder()), port_(free_port()) {
  run_to_end({"cp", "-a", cluster_template(), folder_ / "data"}, folder_ / "log");
  start();
}

PostgresServer::~PostgresServer() {
  kill();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void PostgresServer::start() {
  // The log stays with root; the server writes through the descriptor that it was given.
  pid_ = spawn(as_server_user() + Words{program("postgres"),
                                        "-D",
                                        folder_ / "data",
                                        "-k",
                                        folder_,
                                        "-p",
                                        std::to_string(port_),
                                        "-c",
                                        "listen_addresses=127.0.0.1",
                                        "-c",
                                        "fsync=off"},
               folder_ / "log");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (PQping(url().c_str()) != PQPING_OK) {
    if (std::chrono::steady_clock::now() > deadline)
      give_up("no answer within 30 s, see " + folder_.string());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // polling, with a deadline
  }
}

void PostgresServer::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGQUIT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string PostgresServer::url_for(const std::string& user, const std::string& database) const {
  return "host=" + folder_.string() + " port=" + std::to_string(port_) + " user=" + user +
         " dbname=" + database;
}

std::string PostgresServer::tcp_url() const {
  return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/postgres";
}

void PostgresServer::require_password(const std::string& role) {
  const fs::path path = folder_ / "data" / "pg_hba.conf";
  std::stringstream old;
  old << std::ifstream(path).rdbuf();
  std::ofstream(path) << "local all " << role << " scram-sha-256\n" << old.str();
  run("select pg_reload_conf()");
  // The postmaster reads the file when the signal arrives: done once a connection without a
  // password is refused.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(
        PQconnectdb(url_for(role).c_str()), &PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK) return;
    if (std::chrono::steady_clock::now() > deadline) give_up("pg_hba.conf is not read again");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // polling, with a deadline
  }
}

std::vector<std::vector<std::string>> PostgresServer::rows(const std::string& sql) const {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url().c_str()),
                                                                &PQfinish);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             &PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    give_up(sql + ": " + PQerrorMessage(connection.get()));
  }
  std::vector<std::vector<std::string>> out;
  for (int r = 0; r < PQntuples(result.get()); ++r) {
    auto& row = out.emplace_back();
    for (int c = 0; c < PQnfields(result.get()); ++c) {
      row.emplace_back(PQgetisnull(result.get(), r, c) != 0 ? "null"
                                                            : PQgetvalue(result.get(), r, c));
    }
  }
  return out;
}

std::string PostgresServer::run(const std::string& sql) const {
  std::string out;
  for (const auto& row : rows(sql)) {
    if (!out.empty()) out += '\n';
    for (std::size_t i = 0; i < row.size(); ++i) out += (i == 0 ? "" : "|") + row[i];
  }
  return out;
}

void PostgresServer::await_alone() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (run("select count(*) from pg_stat_activity where backend_type = 'client backend' and pid "
             "<> pg_backend_pid()") != "0") {
    if (std::chrono::steady_clock::now() > deadline) give_up("a connection stays open");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // polling, with a deadline
  }
}

}  // namespace headwater::test
