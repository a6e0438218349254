export const PAGE = { html: '<!doctype html><title>Sinter</title>', headers: { 'content-type': 'text/html; charset=utf-8' } };
