// Written by `npm run inline`. Do not edit.
export const VERSION = '0.1.0';
