// The kernel cache under damage, eviction, processes that share it, and processes that are killed.
#include "g4/jit/cache.hpp"
#include "tests/support/temporary_folder.hpp"
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace fs = std::filesystem;
using g4::jit::cache_entry;
using g4::jit::kernel_cache;
using g4::testing::temporary_folder;

std::string key_of(int i) { return kernel_cache::key("inputs " + std::to_string(i)); }
cache_entry entry_of(int i, std::size_t bytes = 1000) {
    std::string cubin(bytes, static_cast<char>('a' + i % 26));
    cubin[bytes / 2] = '\0';
    return {.cubin = cubin, .log = "log of\n" + std::to_string(i)};
}
bool holds(const kernel_cache& cache, int i, std::size_t bytes = 1000) {
    const auto found = cache.find(key_of(i));
    return found && found->cubin == entry_of(i, bytes).cubin && found->log == entry_of(i).log;
}
fs::path only_file(const fs::path& folder) {
    for (const auto& entry : fs::directory_iterator{folder})
        if (entry.path().extension() == ".kernel") return entry.path();
    return {};
}
std::string content(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}
void age(const fs::path& folder, const std::string& name, std::chrono::hours by) {
    fs::last_write_time(folder / name, fs::last_write_time(folder / name) - by);
}

// Runs `body` in another process, which ends without the test program's own ending.
template <class Body> pid_t in_process(const Body& body) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    int code = 1;
    try {
        body();
        code = 0;
    } catch (...) {}
    ::_exit(code);
}
int status_of(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("kernel cache: what is stored is found, also by another cache of the folder") {
    const temporary_folder folder;
    const kernel_cache cache{folder.path() / "made" / "for it"};
    CHECK_FALSE(cache.find(key_of(1)));
    cache.store(key_of(1), entry_of(1));
    cache.store(key_of(2), {.cubin = "", .log = ""});
    CHECK(holds(cache, 1));
    CHECK(holds(kernel_cache{cache.folder()}, 1));
    CHECK(cache.find(key_of(2))->cubin.empty());
    CHECK_FALSE(cache.find(key_of(3)));
}

TEST_CASE("kernel cache: an entry that was damaged or cut counts as missing and is replaced") {
    for (const bool cut : {false, true}) {
        const temporary_folder folder;
        const kernel_cache cache{folder.path()};
        cache.store(key_of(1), entry_of(1));
        const fs::path file = only_file(folder.path());
        const std::string good = content(file);
        for (std::size_t at = 0; at < good.size(); at += 97) {
            std::string bad = good;
            if (cut) bad.resize(at);
            else bad[at] = static_cast<char>(bad[at] ^ 4);
            std::ofstream{file, std::ios::binary} << bad;
            REQUIRE_FALSE(cache.find(key_of(1)));
            REQUIRE_FALSE(fs::exists(file));
        }
        cache.store(key_of(1), entry_of(1));
        CHECK(holds(cache, 1));
    }
}

TEST_CASE("kernel cache: an entry under another key's name is not taken for it") {
    const temporary_folder folder;
    const kernel_cache cache{folder.path()};
    cache.store(key_of(1), entry_of(1));
    fs::rename(only_file(folder.path()), folder.path() / (key_of(2) + ".kernel"));
    CHECK_FALSE(cache.find(key_of(2)));
}

TEST_CASE("kernel cache: over its bound, what was not used for longest goes first") {
    const temporary_folder folder;
    const kernel_cache cache{folder.path(), 5000};
    for (int i = 0; i < 4; ++i) {
        cache.store(key_of(i), entry_of(i));
        age(folder.path(), key_of(i) + ".kernel", std::chrono::hours{10 - i});
    }
    REQUIRE(holds(cache, 0));  // used now: 1 is the oldest
    cache.store(key_of(4), entry_of(4));
    CHECK_FALSE(holds(cache, 1));
    for (const int i : {0, 2, 3, 4}) CHECK(holds(cache, i));
    cache.store(key_of(5), entry_of(5, 9000));  // larger than the bound: it alone stays
    for (const int i : {0, 2, 3, 4}) CHECK_FALSE(holds(cache, i));
    CHECK(holds(cache, 5, 9000));
}

TEST_CASE("kernel cache: what a killed process left half written is taken away in time") {
    const temporary_folder folder;
    const kernel_cache cache{folder.path()};
    std::ofstream{folder.path() / "old.part"} << "half";
    std::ofstream{folder.path() / "new.part"} << "half";
    age(folder.path(), "old.part", std::chrono::hours{2});
    cache.store(key_of(1), entry_of(1));
    CHECK_FALSE(fs::exists(folder.path() / "old.part"));
    CHECK(fs::exists(folder.path() / "new.part"));
}

TEST_CASE("kernel cache: two processes that want one kernel compile it once") {
    const temporary_folder folder;
    const auto work = [&] {
        const kernel_cache cache{folder.path()};
        for (int i = 0; i < 20; ++i) {
            const g4::jit::file_lock only_one = cache.lock(key_of(i));
            if (cache.find(key_of(i))) continue;
            std::ofstream{folder.path() / "compiled", std::ios::app} << "x";
            std::this_thread::sleep_for(std::chrono::milliseconds{3});
            cache.store(key_of(i), entry_of(i));
        }
    };
    const std::vector<pid_t> children{in_process(work), in_process(work), in_process(work)};
    for (const pid_t child : children) CHECK(status_of(child) == 0);
    CHECK(content(folder.path() / "compiled").size() == 20);
}

TEST_CASE("kernel cache: a process killed while it writes leaves whole entries or none, no lock") {
    const temporary_folder folder;
    constexpr std::size_t bytes = 200'000;
    const kernel_cache cache{folder.path()};
    for (int round = 0; round < 25; ++round) {
        const pid_t child = in_process([&] {
            for (int i = 0;; i = (i + 1) % 5) {
                const g4::jit::file_lock only_one = cache.lock(key_of(i));
                cache.store(key_of(i), entry_of(i, bytes));
            }
        });
        std::this_thread::sleep_for(std::chrono::microseconds{2000 + 1700 * round});
        ::kill(child, SIGKILL);
        CHECK(WIFSIGNALED(status_of(child)));
        for (int i = 0; i < 5; ++i) {
            const g4::jit::file_lock free = cache.lock(key_of(i));
            const bool is_there = fs::exists(folder.path() / (key_of(i) + ".kernel"));
            REQUIRE(holds(cache, i, bytes) == is_there);
        }
    }
    CHECK(holds(cache, 0, bytes));
}

TEST_CASE("kernel cache: a folder that cannot be is an error in words") {
    const temporary_folder folder;
    std::ofstream{folder.path() / "file"} << "x";
    CHECK_THROWS_WITH_AS(kernel_cache{folder.path() / "file"},
                         doctest::Contains("expected a folder for compiled kernels"),
                         g4::input_error);
    const kernel_cache cache{folder.path() / "folder"};
    fs::remove_all(cache.folder());
    CHECK_THROWS_WITH_AS(cache.store(key_of(1), entry_of(1)),
                         doctest::Contains("cannot be written"), g4::input_error);
}
