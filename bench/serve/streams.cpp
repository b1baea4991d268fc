// g4-bench-streams: opens many streams at a server whose back end costs nothing and paces its
// steps, and says how late tokens come and what the server itself takes of a core.
//
//   g4-bench-streams build/release/bin/g4-null-server --streams 1000 --tokens 250 --step-ms 20
#include "g4/core/error.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using g4::input_error;

struct settings {
    std::string server;
    int streams = 1000, tokens = 250, step_ms = 20;
};

settings parse(int argc, char** argv) {
    settings out;
    if (argc < 2)
        throw input_error{"usage: g4-bench-streams NULL_SERVER [--streams N] ",
                          "[--tokens N] [--step-ms N]"};
    out.server = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view flag = argv[i], text = argv[i + 1];
        int* to = flag == "--streams"   ? &out.streams
                  : flag == "--tokens"  ? &out.tokens
                  : flag == "--step-ms" ? &out.step_ms
                                        : nullptr;
        if (!to || std::from_chars(text.data(), text.data() + text.size(), *to).ec != std::errc{})
            throw input_error{flag, ": expected --streams, --tokens or --step-ms and a number"};
    }
    return out;
}

/// The server as a child process, asked to end when this goes.
class child {
  public:
    explicit child(const settings& of) {
        int ends[2];
        if (::pipe(ends) != 0) throw input_error{"pipe: ", std::strerror(errno)};
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(ends[1], STDOUT_FILENO);
            const std::string step = std::to_string(1000 * of.step_ms);
            const std::string sequences = std::to_string(of.streams);
            const std::string length = std::to_string(of.tokens + 64);
            ::execl(of.server.c_str(), of.server.c_str(), "--load", "1", "--step-us", step.c_str(),
                    "--sequences", sequences.c_str(), "--max-waiting", sequences.c_str(),
                    "--max-model-len", length.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        char line[256]{};
        const ssize_t count = ::read(ends[0], line, sizeof line - 1);
        ::close(ends[0]);
        const std::string_view text{line, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
        const std::size_t colon = text.rfind(':');
        if (colon == text.npos) throw input_error{of.server, ": expected a server, got no port"};
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), port_);
    }
    ~child() {
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    std::uint16_t port() const { return port_; }

    /// Seconds of CPU time so far, and resident bytes. Source: proc(5).
    double cpu_seconds() const {
        std::string name, stat = read_file("stat");
        stat.erase(0, stat.rfind(')') + 2);
        long long user = 0, system = 0;
        std::sscanf(stat.c_str(), "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &user,
                    &system);
        return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    double resident_mb() const {
        long long pages = 0, resident = 0;
        std::sscanf(read_file("statm").c_str(), "%lld %lld", &pages, &resident);
        return static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / 1e6;
    }

  private:
    std::string read_file(const char* name) const {
        const std::string path = g4::concat("/proc/", pid_, '/', name);
        std::string out(4096, '\0');
        std::FILE* file = std::fopen(path.c_str(), "r");
        if (!file) throw input_error{path, ": ", std::strerror(errno)};
        out.resize(std::fread(out.data(), 1, out.size(), file));
        std::fclose(file);
        return out;
    }
    int pid_ = 0;
    std::uint16_t port_ = 0;
};

struct stream {
    int socket = -1;
    clock_type::time_point asked{};
    std::vector<clock_type::time_point> events;  // of tokens
    bool done = false;
};

int open_stream(std::uint16_t port, int tokens) {
    const int made = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (made < 0 || ::connect(made, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        throw input_error{"connect: ", std::strerror(errno)};
    const int on = 1;
    ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::string body =
        g4::concat(R"({"messages":[{"role":"user","content":"go"}],"stream":true,)",
                   R"("ignore_eos":true,"max_tokens":)", tokens, '}');
    const std::string request =
        g4::concat("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(),
                   "\r\n\r\n", body);
    if (::send(made, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
        throw input_error{"send: ", std::strerror(errno)};
    return made;
}

/// Each token is one event with a content that is not empty; an event ends with two newlines.
void take(stream& of, const char* bytes, ssize_t count) {
    constexpr std::string_view token = "\"content\":\"";
    const std::string_view text{bytes, static_cast<std::size_t>(count)};
    const auto now = clock_type::now();
    for (std::size_t at = text.find(token); at != text.npos; at = text.find(token, at + 1))
        if (text.substr(at + token.size(), 1) != "\"") of.events.push_back(now);
    if (text.find("[DONE]") != text.npos) of.done = true;
}

double percentile(std::vector<double>& of, double part) {
    std::sort(of.begin(), of.end());
    return of.empty() ? 0 : of[static_cast<std::size_t>(part * static_cast<double>(of.size() - 1))];
}

int run(const settings& asked) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const child server{asked};
    const int poll = ::epoll_create1(0);
    std::vector<stream> streams(static_cast<std::size_t>(asked.streams));
    for (std::size_t i = 0; i < streams.size(); ++i) {
        streams[i].asked = clock_type::now();
        streams[i].socket = open_stream(server.port(), asked.tokens);
        epoll_event want{};
        want.events = EPOLLIN;
        want.data.u64 = i;
        ::epoll_ctl(poll, EPOLL_CTL_ADD, streams[i].socket, &want);
    }
    // from here on all streams are open: what follows is the steady state
    const double cpu_before = server.cpu_seconds();
    const auto begun = clock_type::now();
    const auto limit = begun + std::chrono::milliseconds{asked.tokens * asked.step_ms * 3 + 10'000};
    int open = asked.streams;
    std::vector<char> buffer(1 << 16);
    epoll_event ready[512];
    double most_mb = 0;
    while (open > 0 && clock_type::now() < limit) {
        const int count = ::epoll_wait(poll, ready, 512, 1000);
        for (int i = 0; i < count; ++i) {
            stream& of = streams[ready[i].data.u64];
            const ssize_t got = ::recv(of.socket, buffer.data(), buffer.size(), 0);
            if (got > 0) take(of, buffer.data(), got);
            if (got > 0 && !of.done) continue;
            ::close(of.socket);
            --open;
            if (open == asked.streams / 2) most_mb = server.resident_mb();
        }
    }
    const std::chrono::duration<double> took = clock_type::now() - begun;
    const double cpu = server.cpu_seconds() - cpu_before;

    std::vector<double> first, late;
    std::int64_t events = 0;
    int whole = 0;
    for (const stream& of : streams) {
        events += static_cast<std::int64_t>(of.events.size());
        whole += of.done && static_cast<int>(of.events.size()) == asked.tokens ? 1 : 0;
        if (of.events.empty()) continue;
        using ms = std::chrono::duration<double, std::milli>;
        first.push_back(ms{of.events.front() - of.asked}.count());
        // against the ideal of one token a step behind the first
        for (std::size_t i = 1; i < of.events.size(); ++i)
            late.push_back(ms{of.events[i] - of.events.front()}.count() -
                           static_cast<double>(i) * asked.step_ms);
    }
    std::printf("streams %d, tokens %d each, a step every %d ms\n", asked.streams, asked.tokens,
                asked.step_ms);
    std::printf("whole streams       %d\n", whole);
    std::printf("tokens a second     %.0f\n", static_cast<double>(events) / took.count());
    std::printf("first token, ms     p50 %.1f  p99 %.1f\n", percentile(first, 0.5),
                percentile(first, 0.99));
    std::printf("lateness, ms        p50 %.1f  p99 %.1f  max %.1f\n", percentile(late, 0.5),
                percentile(late, 0.99), percentile(late, 1));
    std::printf("server, cores       %.2f  (%.2f s of CPU in %.2f s)\n", cpu / took.count(), cpu,
                took.count());
    std::printf("server, resident MB %.1f\n", most_mb);
    return whole == asked.streams ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
    return run(parse(argc, argv));
} catch (const std::exception& error) {
    std::fprintf(stderr, "g4-bench-streams: %s\n", error.what());
    return 2;
}
