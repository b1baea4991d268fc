// One CUDA thread of the emulator as a fiber: a stack of its own, left and entered by hand.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace g4k::simt {

/// A place that execution can leave and come back to.
struct context {
#if defined(__x86_64__)
    void* top = nullptr;  // of the stack, with the registers that a call preserves
#else
    ucontext_t registers{};
#endif
    const void* bottom = nullptr;  // of the memory of the stack
    std::size_t bytes = 0;
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
#endif
#if defined(__SANITIZE_THREAD__)
    void* seen_as = nullptr;
#endif
};

#if defined(__x86_64__)
#if defined(__clang__)
#define G4K_OPAQUE gnu::naked, gnu::noinline
#else
#define G4K_OPAQUE \
    gnu::naked, gnu::noipa  // or the caller trusts registers that the other side has used
#endif
/// Saves what a call preserves on this stack, then continues where `to` was left.
[[G4K_OPAQUE]] inline void exchange_stacks(void** /*from*/, void* /*to*/) {
    asm("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret");
}
#endif

/// Leaves `from`; returns when something goes back to it.
inline void go(context& from, context& to) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.bytes);
#endif
#if defined(__SANITIZE_THREAD__)
    from.seen_as = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.seen_as, 0);
#endif
#if defined(__x86_64__)
    exchange_stacks(&from.top, to.top);
#else
    swapcontext(&from.registers, &to.registers);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

/// A stack that can be started again and again. Below it lies a page that faults.
class fiber {
  public:
    fiber() {
        void* memory = mmap(nullptr, page + stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc{};
        mprotect(memory, page, PROT_NONE);
        self.bottom = static_cast<char*>(memory) + page;
        self.bytes = stack_bytes;
#if defined(__SANITIZE_THREAD__)
        self.seen_as = __tsan_create_fiber(0);
#endif
    }
    fiber(const fiber&) = delete;
    fiber& operator=(const fiber&) = delete;
    ~fiber() {
#if defined(__SANITIZE_THREAD__)
        __tsan_destroy_fiber(self.seen_as);
#endif
        munmap(bottom() - page, page + stack_bytes);
    }

    /// The next go() to it calls `entry`, which never returns.
    void restart(void (*entry)()) {
#if defined(__x86_64__)
        auto* top = reinterpret_cast<std::uintptr_t*>(bottom() + stack_bytes);
        top[-1] = 0;  // the return address of entry
        top[-2] = reinterpret_cast<std::uintptr_t>(entry);
        self.top = top - 8;  // six registers under it, whatever they hold
#else
        getcontext(&self.registers);
        self.registers.uc_stack.ss_sp = bottom();
        self.registers.uc_stack.ss_size = stack_bytes;
        makecontext(&self.registers, entry, 0);
#endif
    }
    context self;

  private:
    char* bottom() const { return static_cast<char*>(const_cast<void*>(self.bottom)); }
    static constexpr std::size_t page = 4096, stack_bytes = 256 * 1024;
};

/// First thing in an entry: on a new stack nobody returns from go().
inline void entered() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

}  // namespace g4k::simt
