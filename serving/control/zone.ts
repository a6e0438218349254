// The process of a zone: it does nothing but live. Instances of a zone whose process ends are lost with it. It ends with its daemon.
process.stdin.on('end', () => process.exit(0)).resume();
process.on('SIGINT', () => undefined);
