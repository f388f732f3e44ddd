{
  'targets': [
    {
      'target_name': 'pcikit_native',
      'sources': [
        'addon.cc',
        'arguments.cc',
        'environment.cc',
        'watcher.cc',
        'descriptor-watch.cc',
        'unix-address.cc',
        'socket.cc',
        'listener.cc',
        'descriptor.cc',
        'event-fd.cc',
        'event-loop.cc',
        'fault-guard.cc',
        'mapped-range.cc',
        'mapping.cc',
        'copy.cc',
        'segments.cc',
        'vector-io.cc',
        'ring-queue.cc',
        'ring-workers.cc',
        'io-ring.cc',
        'file-control.cc',
        'thread-pool.cc',
        'companion-thread.cc'
      ],
      'defines': ['NAPI_VERSION=8', '_FILE_OFFSET_BITS=64'],
      'cflags': ['-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++20', '-std=gnu++23'],
      'cflags_cc': ['-std=c++17', '-fno-exceptions', '-fvisibility-inlines-hidden'],
      # A worker that ends closes the library; its signal handler must outlive that.
      'ldflags': ['-Wl,-z,nodelete', '-Wl,-z,relro', '-Wl,-z,now']
    }
  ]
}
