// Pages opened from a disk may not read each other, so the list of results has titles alone there.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
