/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest that runs: firmware which is all the software there is. At each tick of a clock it
 * changes a word in so many pages, each any of a range; struct dirty of pairs.h says which. Between
 * ticks, the processor is idle.
 */
#define BASE 0xffff0000
#define DIRTY 0x7000			/* struct dirty, and the stack in the rest of its page */
#define TICK_DIVISOR 4773		/* 1.193182 MHz to 250 Hz; DIRTY_HZ in pairs.h */

	.code16
	.globl start
start:
	cli
	lgdtl %cs:(gdt_pointer - start)
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $flat

	.code32
flat:
	movw $16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $DIRTY + 0x1000, %esp
	lidt idt_pointer

	/* The local APIC lets the other interrupt controller through */
	movl $0x1ff, 0xfee000f0
	movl $0x700, 0xfee00350
	/* Interrupts from 0x20 on, the timer's alone */
	movb $0x11, %al
	outb %al, $0x20
	movb $0x20, %al
	outb %al, $0x21
	movb $4, %al
	outb %al, $0x21
	movb $1, %al
	outb %al, $0x21
	movb $0xfe, %al
	outb %al, $0x21
	movb $0x34, %al
	outb %al, $0x43
	movb $TICK_DIVISOR & 0xff, %al
	outb %al, $0x40
	movb $TICK_DIVISOR >> 8, %al
	outb %al, $0x40

	xorl %esi, %esi			/* pages that are due, times 65536 */
	movl $1, %ebx			/* of the random numbers */
tick:
	sti
	hlt
	cli
	incl DIRTY + 20			/* ticks */
	addl DIRTY + 8, %esi
page:
	cmpl $65536, %esi
	jb tick
	subl $65536, %esi
	imull $1664525, %ebx, %ebx
	addl $1013904223, %ebx
	movl %ebx, %eax
	mull DIRTY + 4			/* edx: any number below that of the pages */
	shll $12, %edx
	addl DIRTY, %edx
	incl 8(%edx)
	incl DIRTY + 12			/* written */
	jmp page

on_tick:
	pushl %eax
	movb $0x20, %al
	outb %al, $0x20
	popl %eax
	iret

	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9a000000ffff
	.quad 0x00cf92000000ffff
gdt_pointer:
	.word 3 * 8 - 1
	.long gdt
idt:
	.fill 0x20, 8, 0
	.word on_tick - start, 8, 0x8e00, BASE >> 16
idt_pointer:
	.word 0x21 * 8 - 1
	.long idt

	.org 0xfff0
	.code16
	jmp start
	.org 0x10000
