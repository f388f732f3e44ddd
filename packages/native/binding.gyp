{
  'targets': [
    {
      'target_name': 'pcikit_native',
      'sources': [
        'src/addon/addon.cc',
        'src/addon/arguments.cc',
        'src/addon/environment.cc',
        'src/addon/watcher.cc',
        'src/addon/descriptor-watch.cc',
        'src/addon/unix-address.cc',
        'src/addon/socket.cc',
        'src/addon/listener.cc',
        'src/addon/descriptor.cc',
        'src/addon/event-fd.cc',
        'src/addon/fault-guard.cc',
        'src/addon/mapped-range.cc',
        'src/addon/mapping.cc',
        'src/addon/vector-io.cc',
        'src/addon/file-control.cc',
        'src/addon/thread-pool.cc'
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
